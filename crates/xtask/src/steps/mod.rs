//! The checks: what `cargo xtask test` runs, here and in CI.

mod crates;
mod fuzz;
mod size;
mod sources;
mod workflows;

use crate::bench;
use crate::browser;
use crate::bundle;
use crate::cards;
use crate::command::{program, run as run_command, seconds};
use crate::native;
use crate::node;
use crate::places::Places;
use crate::sample;
use crate::site;
use crate::take_along;
use crate::tools;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// One check: its name, what it shows, and how it runs.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Places) -> Result<()>,
}

/// What takes seconds once the tools are there.
const FIRST: [Step; 4] = [
    Step {
        name: "fmt",
        about: "every Rust file is formatted",
        run: sources::format,
    },
    Step {
        name: "typos",
        about: "no word is misspelt",
        run: sources::spelling,
    },
    Step {
        name: "house",
        about: "imports of every crate run one way, and documents name what is there",
        run: sources::house,
    },
    Step {
        name: "deny",
        about: "dependencies are licensed as we can use them and come from where they should",
        run: sources::dependencies,
    },
];

/// What is compiled for this computer.
const NATIVE: [Step; 5] = [
    Step {
        name: "clippy",
        about: "no lint on this computer's programs",
        run: crates::lint,
    },
    Step {
        name: "test",
        about: "unit and whole-program tests of the Rust crates",
        run: crates::test,
    },
    Step {
        name: "graphics",
        about: "kernels for graphics processors compute what they should, on a driver in software",
        run: crates::test_graphics,
    },
    Step {
        name: "doc",
        about: "the documentation builds without a warning",
        run: crates::document,
    },
    Step {
        name: "cards",
        about: "the types of the native program for CUDA, Vulkan and WebGPU are right",
        run: cards::check,
    },
];

/// What is compiled for the browser, beside the above: it shares no lock with it, and linking the worker takes one core for minutes.
const WASM: [Step; 4] = [
    Step {
        name: "setup",
        about: "the tools for the browser are there",
        run: tools::set_up_everything,
    },
    Step {
        name: "clippy-wasm",
        about: "no lint on the browser's programs",
        run: crates::lint_wasm,
    },
    Step {
        name: "site",
        about: "the site builds",
        run: site::build,
    },
    Step {
        name: "size",
        about: "the site's programs stay below their ceilings",
        run: size::check,
    },
];

/// What runs the finished programs.
const PROGRAMS: [Step; 2] = [
    Step {
        name: "cli",
        about: "the native program, called as a person does",
        run: test_command_line,
    },
    Step {
        name: "browser",
        about: "the built site in Chromium",
        run: test_browser,
    },
];

/// What runs the native program elsewhere than in a checkout, beside the above: much of it is waiting for what goes at its own pace, and
/// the last takes only what others leave of the processor.
const ELSEWHERE: [Step; 4] = [
    Step {
        name: "workflows",
        about: "Snakemake's and Slurm's jobs run and go on after kills, recipes for containers are right",
        run: workflows::test,
    },
    Step {
        name: "bundle",
        about: "what is brought to a graphics card unpacks and runs, with the program for the processor",
        run: bundle::test,
    },
    Step {
        name: "onnx",
        about: "the networks exported to ONNX give the manifests' known answers in onnxruntime",
        run: bench::export_models,
    },
    Step {
        name: "fuzz",
        about: "readers end well with damaged files, a minute each",
        run: fuzz::test,
    },
];

/// What came of a step, and how long it took.
type Outcome = (&'static Step, Duration, Result<()>);

fn all() -> impl Iterator<Item = &'static Step> {
    FIRST
        .iter()
        .chain(&NATIVE)
        .chain(&WASM)
        .chain(&PROGRAMS)
        .chain(&ELSEWHERE)
}

/// Prints the steps' names and what they show.
pub fn list() {
    for step in all() {
        println!("{:<12} {}", step.name, step.about);
    }
}

/// Runs the named steps, or all, each whether or not another failed, and sums up.
///
/// # Errors
/// When there is no step of a name.
pub fn run(places: &Places, names: &[String]) -> Result<ExitCode> {
    if let Some(unknown) = names
        .iter()
        .find(|name| all().all(|step| step.name != **name))
    {
        bail!("there is no step {unknown:?}; `cargo xtask test --list` names them");
    }
    let wanted = |steps: &'static [Step]| -> Vec<&'static Step> {
        let is_named = |step: &&Step| names.is_empty() || names.iter().any(|n| n == step.name);
        steps.iter().filter(is_named).collect()
    };
    let in_sight = |steps: Vec<&'static Step>| -> Vec<Outcome> {
        let run = |step| run_in_sight(places, step);
        steps.into_iter().map(run).collect()
    };
    let mut outcomes = in_sight(wanted(&FIRST));
    for (steps, others) in [(&NATIVE[..], &WASM[..]), (&PROGRAMS, &ELSEWHERE)] {
        let [steps, others] = [wanted(steps), wanted(others)];
        if steps.is_empty() || others.is_empty() {
            outcomes.extend(in_sight(steps));
            outcomes.extend(in_sight(others));
            continue;
        }
        thread::scope(|scope| {
            let beside = scope.spawn(|| others.into_iter().map(run_beside).collect::<Vec<_>>());
            outcomes.extend(in_sight(steps));
            for (outcome, text) in beside.join().expect("a thread that only runs programs") {
                print!("{text}");
                outcomes.push(outcome);
            }
        });
    }
    Ok(sum_up(&outcomes))
}

fn run_in_sight(places: &Places, step: &'static Step) -> Outcome {
    println!("\n== {} — {}", step.name, step.about);
    let start = Instant::now();
    let result = (step.run)(places);
    if let Err(error) = &result {
        eprintln!("error: {error:#}");
    }
    (step, start.elapsed(), result)
}

/// Runs a step in a process of its own, whose words are kept, so that they do not mix with another's.
fn run_beside(step: &'static Step) -> (Outcome, String) {
    let start = Instant::now();
    let path = env::temp_dir().join(format!("dinomed3d-{}-{}", step.name, std::process::id()));
    let run = || -> Result<()> {
        let words = fs::File::create(&path)?;
        let mut step_alone = program(env::current_exe()?, &env::current_dir()?);
        // Where the checkout is, which else only cargo tells.
        step_alone.env(
            "CARGO_MANIFEST_DIR",
            env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?,
        );
        step_alone.args(["test", step.name]);
        step_alone.stdout(words.try_clone()?).stderr(words);
        let status = step_alone.status()?;
        if !status.success() {
            bail!("{status}");
        }
        Ok(())
    };
    let result = run();
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    ((step, start.elapsed(), result), text)
}

fn sum_up(outcomes: &[Outcome]) -> ExitCode {
    println!("\n{:<12} {:<8} {:>9}", "step", "result", "time");
    for (step, time, result) in outcomes {
        println!(
            "{:<12} {:<8} {:>9}",
            step.name,
            if result.is_ok() { "passed" } else { "FAILED" },
            seconds(*time)
        );
    }
    let failed = outcomes
        .iter()
        .filter(|(.., result)| result.is_err())
        .count();
    println!("{} passed, {failed} failed", outcomes.len() - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn test_command_line(places: &Places) -> Result<()> {
    sample::make(&places.samples())?;
    let mut node = node::tests(places, "tests/cli")?;
    node.env("DINOMED3D_BIN", native::build(places)?);
    run_command("command line tests", &mut node, "the failures are above")
}

fn test_browser(places: &Places) -> Result<()> {
    let mut node = node::tests(places, "tests/browser")?;
    node.env("DINOMED3D_BIN", native::build(places)?);
    let archive = env::temp_dir().join(format!("dinomed3d-take-along-{}.zip", std::process::id()));
    take_along::pack(places, &archive)?;
    node.env("DINOMED3D_TAKE_ALONG", &archive);
    if let Some(chromium) = tools::chromium_with_mesa::lay_out(places)? {
        node.env("CHROMIUM_WITH_HALF", chromium);
    }
    let result = browser::with_site(places, &mut node, "browser tests");
    fs::remove_file(archive)?;
    result
}
