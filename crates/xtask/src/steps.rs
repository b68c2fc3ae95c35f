//! The checks: what `cargo xtask test` runs, in this order, here and in CI.

use crate::browser;
use crate::bundle;
use crate::cards;
use crate::command::{program, run as run_command, seconds};
use crate::native;
use crate::places::Places;
use crate::site;
use crate::toolchain::{WASM_TARGET, WasmToolchain};
use crate::tools;
use anyhow::{Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Gzipped bytes of the page's script and program, without NiiVue.
const PAGE_CEILING: u64 = 400_000;
/// Gzipped bytes of the worker's program.
const WORKER_CEILING: u64 = 4_500_000;

/// One check: its name, what it shows, and how it runs.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Places) -> Result<()>,
}

const STEPS: [Step; 12] = [
    Step {
        name: "fmt",
        about: "every Rust file is formatted",
        run: format,
    },
    Step {
        name: "clippy",
        about: "no lint on this computer's programs",
        run: lint_native,
    },
    Step {
        name: "cards",
        about: "the types of the native program for CUDA and Vulkan are right",
        run: cards::check,
    },
    Step {
        name: "test",
        about: "unit and whole-program tests of the Rust crates",
        run: test_native,
    },
    Step {
        name: "doc",
        about: "the documentation builds without a warning",
        run: document,
    },
    Step {
        name: "setup",
        about: "the tools for the browser are there",
        run: tools::set_up_everything,
    },
    Step {
        name: "clippy-wasm",
        about: "no lint on the browser's programs",
        run: lint_wasm,
    },
    Step {
        name: "site",
        about: "the site builds",
        run: site::build,
    },
    Step {
        name: "size",
        about: "the site's programs stay below their ceilings",
        run: check_sizes,
    },
    Step {
        name: "cli",
        about: "the native program, called as a person does",
        run: test_command_line,
    },
    Step {
        name: "bundle",
        about: "what is brought to a graphics card unpacks and runs, with the program for the processor",
        run: bundle::test,
    },
    Step {
        name: "browser",
        about: "the built site in Chromium",
        run: test_browser,
    },
];

/// Prints the steps' names and what they show.
pub fn list() {
    for step in &STEPS {
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
        .find(|name| STEPS.iter().all(|step| step.name != **name))
    {
        bail!("there is no step {unknown:?}; `cargo xtask test --list` names them");
    }
    let is_wanted = |step: &&Step| names.is_empty() || names.iter().any(|name| name == step.name);
    let mut results: Vec<(&Step, Duration, Result<()>)> = Vec::new();
    for step in STEPS.iter().filter(is_wanted) {
        println!("\n== {} — {}", step.name, step.about);
        let start = Instant::now();
        let result = (step.run)(places);
        if let Err(error) = &result {
            eprintln!("error: {error:#}");
        }
        results.push((step, start.elapsed(), result));
    }

    println!("\n{:<12} {:<8} {:>9}", "step", "result", "time");
    for (step, time, result) in &results {
        println!(
            "{:<12} {:<8} {:>9}",
            step.name,
            if result.is_ok() { "passed" } else { "FAILED" },
            seconds(*time)
        );
    }
    let failed = results
        .iter()
        .filter(|(.., result)| result.is_err())
        .count();
    println!("{} passed, {failed} failed", results.len() - failed);
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn format(places: &Places) -> Result<()> {
    run_cargo(
        places,
        "cargo fmt",
        &["fmt", "--all", "--check"],
        "run `cargo fmt --all`",
    )
}

fn lint_native(places: &Places) -> Result<()> {
    let hint = "the lints are above";
    let product = [
        &["clippy", "--release"][..],
        &native::PACKAGES,
        &["--all-targets", "--", "-D", "warnings"],
    ]
    .concat();
    run_cargo(places, "clippy of the product", &product, hint)?;
    let rest = [
        "clippy",
        "--release",
        "-p",
        "xtask",
        "-p",
        "dinomed3d-web",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    run_cargo(places, "clippy of xtask", &rest, hint)
}

fn lint_wasm(places: &Places) -> Result<()> {
    let mut cargo = WasmToolchain::prepare(places)?.cargo(places)?;
    cargo.args([
        "clippy",
        "--profile",
        "wasm",
        "--target",
        WASM_TARGET,
        "-p",
        "dinomed3d-web",
        "--features",
        "worker",
        "--",
        "-D",
        "warnings",
    ]);
    run_command("clippy for wasm32", &mut cargo, "the lints are above")
}

fn test_native(places: &Places) -> Result<()> {
    let hint = "the failures are above";
    let product = [&["test", "--release"][..], &native::PACKAGES].concat();
    run_cargo(places, "tests of the product", &product, hint)?;
    run_cargo(
        places,
        "tests of xtask and the page",
        &["test", "--release", "-p", "xtask", "-p", "dinomed3d-web"],
        hint,
    )
}

fn document(places: &Places) -> Result<()> {
    let mut cargo = native::cargo(places);
    cargo
        .args(["doc", "--release", "--no-deps"])
        .args(native::PACKAGES)
        .env("RUSTDOCFLAGS", "-D warnings");
    run_command("cargo doc", &mut cargo, "the warnings are above")
}

/// The gzipped sizes are those of the copies that the build laid beside the files.
fn check_sizes(places: &Places) -> Result<()> {
    let files = site::files_below(&places.dist())?;
    let gzipped = |belongs: &dyn Fn(&str) -> bool| -> Result<u64> {
        let mut bytes = 0;
        for path in files.iter().filter(|path| belongs(&site::file_name(path))) {
            let copy = site::with_suffix(path, ".gz");
            let copy = if copy.is_file() { copy } else { path.clone() };
            bytes += fs::metadata(copy)?.len();
        }
        Ok(bytes)
    };
    let is_of_page = |name: &str| {
        let is_program = name.ends_with(".js") || name.ends_with(".wasm");
        is_program && !name.starts_with("worker") && name != "niivue.js"
    };
    let is_of_worker = |name: &str| name.starts_with("worker") && name.ends_with(".wasm");
    let mut is_too_large = false;
    for (what, bytes, ceiling) in [
        ("page", gzipped(&is_of_page)?, PAGE_CEILING),
        ("worker", gzipped(&is_of_worker)?, WORKER_CEILING),
    ] {
        println!("{what}: {bytes} bytes gzipped, {ceiling} allowed");
        if bytes == 0 {
            bail!("dist holds no program of the {what}; build the site first: cargo xtask build");
        }
        is_too_large |= bytes > ceiling;
    }
    if is_too_large {
        bail!("a program is larger than its ceiling");
    }
    Ok(())
}

fn test_command_line(places: &Places) -> Result<()> {
    let mut node = node_tests(places, "tests/cli")?;
    node.env("DINOMED3D_BIN", native::build(places)?);
    run_command("command line tests", &mut node, "the failures are above")
}

fn test_browser(places: &Places) -> Result<()> {
    let mut node = node_tests(places, "tests/browser")?;
    browser::with_site(places, &mut node, "browser tests")
}

/// Node's test runner over a directory's tests, one file after the other: they measure time and share two cores.
pub fn node_tests(places: &Places, directory: &str) -> Result<Command> {
    let tests = test_files(&places.root.join(directory))?;
    tools::npm_packages(places)?;
    let mut node = program("node", &places.root);
    node.args([
        "--test",
        "--test-concurrency=1",
        "--test-timeout=900000",
        "--test-reporter=spec",
    ])
    .args(tests);
    Ok(node)
}

fn test_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let tests: Vec<PathBuf> = site::files_below(directory)?
        .into_iter()
        .filter(|path| site::file_name(path).ends_with(".test.mjs"))
        .collect();
    if tests.is_empty() {
        bail!("{} holds no *.test.mjs", directory.display());
    }
    Ok(tests)
}

fn run_cargo(
    places: &Places,
    what: &str,
    arguments: &[impl AsRef<OsStr>],
    hint: &str,
) -> Result<()> {
    run_command(what, native::cargo(places).args(arguments), hint)
}
