//! Our networks beside the same ones, exported to ONNX, in other programs: in turns, in one run, on the same cores.

use super::side::Side;
use super::{kernels, profile};
use crate::command::{program, run};
use crate::native;
use crate::places::Places;
use crate::server::Server;
use crate::site;
use crate::tools::{chromium, npm, python};
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// After a turn, until threads that wait for more work without letting the processor go, as PyTorch's do, have given up.
const UNTIL_IDLE: Duration = Duration::from_millis(500);

/// What is measured beside ours.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Other {
    /// onnxruntime, and onnxruntime-web in the browser.
    Onnx,
}

/// How they are measured.
#[derive(Args)]
pub struct How {
    /// Measures the networks beside the same ones in another program.
    #[arg(long)]
    against: Option<Other>,
    /// With PyTorch too: a Python that has torch, onnx and numpy.
    #[arg(long, value_name = "PROGRAM", requires = "against")]
    pytorch: Option<PathBuf>,
    /// The models, folders of public/models; or vits16, DINOv3's transformer with made-up weights.
    #[arg(
        long,
        requires = "against",
        value_delimiter = ',',
        default_values = [MODELS[0], MODELS[1], TRANSFORMER]
    )]
    models: Vec<String>,
    /// Turns of each.
    #[arg(long, requires = "against", default_value_t = 7)]
    turns: usize,
    /// Without the browser.
    #[arg(long, requires = "against", conflicts_with = "page_only")]
    native_only: bool,
    /// In the browser alone.
    #[arg(long, requires = "against")]
    page_only: bool,
    /// In the browser dist/ as it is.
    #[arg(long, requires = "against")]
    no_build: bool,
    /// In the browser on WebGPU too, each once; a software adapter takes minutes.
    #[arg(long, requires = "against")]
    webgpu: bool,
    /// Which part takes how long natively, and which kernel on WebGPU.
    #[arg(long, requires = "against")]
    profile: bool,
}

impl How {
    /// Whether anything is measured beside ours.
    pub fn is_against(&self) -> bool {
        self.against.is_some()
    }
}

/// Relative to the largest logit: of programs that disagree by more no times are told.
const TOLERANCE: f32 = 1e-4;

/// As tests/onnx/page_side.mjs calls them, ours first.
const PAGE_SIDES: [&str; 2] = ["ours", "onnxruntime-web"];
/// The shipped models, by their folders.
const MODELS: [&str; 2] = ["hippocampus", "head"];
/// By its name in `core::model::presets`.
const TRANSFORMER: &str = "vits16";
/// Of the transformer, as many as a window has slices; on WebGPU fewer, as a software adapter is slow.
const IMAGES: usize = 16;
const FEW_IMAGES: usize = 2;

/// Exports the shipped models; the exporter refuses to when onnxruntime's answer is not the manifest's.
///
/// # Errors
/// When one is refused, or Python's packages can't be installed.
pub fn export_models(places: &Places) -> Result<()> {
    let python = python_of(places)?;
    for name in MODELS {
        Model::export(places, &python, name, IMAGES)?;
    }
    Ok(())
}

fn python_of(places: &Places) -> Result<PathBuf> {
    let requirements = places.root.join("tests/onnx/requirements.txt");
    Ok(python::environment(places, "onnx", &requirements)?.join("python"))
}

/// Measures all that was asked for, and prints a table.
///
/// # Errors
/// When something does not build, a program fails, or two of them disagree about the logits.
pub fn measure(places: &Places, how: &How) -> Result<()> {
    let python = python_of(places)?;
    if !how.native_only {
        if !how.no_build {
            site::build(places)?;
        }
        npm::install_packages(places)?;
    }
    if !how.page_only {
        let mut build = native::cargo(places);
        build.arg("bench").args(native::PACKAGES);
        build.args(["--bench", "window", "--no-run"]);
        run("building our side", &mut build, "the messages are above")?;
    }
    let mut table = vec![
        "| network | where | ours, ms | other | ms | ours ÷ other | GFLOP | floor, ms |".to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for name in &how.models {
        let model = Model::export(places, &python, name, IMAGES)?;
        if !how.page_only {
            let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
            for threads in if cores > 1 { vec![cores, 1] } else { vec![1] } {
                let place = format!("CPU, {threads} threads");
                let sides = model.native(places, &python, how, threads)?;
                table.extend(turns(&model, &place, sides, how.turns)?);
                if how.profile {
                    println!("\n{name}, {place}:\n");
                    println!("{}", profile::beside(&model.folder, &model.facts)?);
                }
            }
        }
        if !how.native_only {
            let server = Server::start(&places.dist(), Some(0))?;
            let sides = PAGE_SIDES.map(|side| model.in_page(places, &server, [side, "cpu"], None));
            let sides = sides.into_iter().collect::<Result<_>>()?;
            table.extend(turns(&model, "page, CPU, 1 thread", sides, how.turns)?);
            if how.webgpu {
                let model = Model::export(places, &python, name, FEW_IMAGES)?;
                let kernels = PAGE_SIDES.map(|side| model.folder.join(format!("{side}.json")));
                let sides = PAGE_SIDES.iter().zip(&kernels).map(|(side, kernels)| {
                    let kernels = how.profile.then_some(&**kernels);
                    model.in_page(places, &server, [side, "webgpu"], kernels)
                });
                let sides = sides.collect::<Result<_>>()?;
                table.extend(turns(&model, "page, WebGPU", sides, 1)?);
                for (side, file) in PAGE_SIDES.iter().zip(&kernels).filter(|_| how.profile) {
                    println!("\n{}, WebGPU, {side}:\n", model.title);
                    println!("{}", kernels::table(file)?);
                }
            }
        }
    }
    println!("\n{}\n\n{}", super::machine(), table.join("\n"));
    Ok(())
}

/// A network, exported.
struct Model {
    name: String,
    /// What a table says.
    title: String,
    /// Of the model; none of a transformer by itself.
    source: Option<PathBuf>,
    /// Of what was exported.
    folder: PathBuf,
    facts: Value,
}

impl Model {
    /// One of [`MODELS`], or the transformer for so many images.
    fn export(places: &Places, python: &Path, name: &str, images: usize) -> Result<Self> {
        let mut title = name.to_owned();
        let mut export = program(python, &places.root);
        let source = if name == TRANSFORMER {
            title = format!("{name}, {images} images");
            export.args(["tests/onnx/transformer.py", name, &images.to_string()]);
            None
        } else {
            let source = places.root.join("public/models").join(name);
            export.arg("tests/onnx/export.py").arg(&source);
            Some(source)
        };
        let folder = places.root.join("target/onnx").join(&title);
        export.arg(&folder);
        run(
            &format!("exporting {name}"),
            &mut export,
            "the messages are above",
        )?;
        let facts = serde_json::from_slice(&fs::read(folder.join("facts.json"))?)?;
        Ok(Self {
            name: name.to_owned(),
            title,
            source,
            folder,
            facts,
        })
    }

    /// Ours first.
    fn native(
        &self,
        places: &Places,
        python: &Path,
        how: &How,
        threads: usize,
    ) -> Result<Vec<Side>> {
        let file = |name: &str| self.folder.join(name);
        let logits = file("ours.f32");
        let mut ours = native::cargo(places);
        ours.env("RAYON_NUM_THREADS", threads.to_string())
            .args(["bench", "--quiet"])
            .args(native::PACKAGES)
            .args(["--bench", "window", "--", "--logits"])
            .arg(&logits)
            .arg("--model");
        match &self.source {
            Some(source) => ours.arg(source).arg("--window").arg(file("window.f32")),
            None => ours.arg(&self.folder).args(["--transformer", &self.name]),
        };
        let other = |python: &Path, script: &str, logits: &Path| {
            let mut command = program(python, &places.root);
            command.arg(Path::new("tests/onnx").join(script));
            command
                .arg(&self.folder)
                .arg(threads.to_string())
                .arg(logits);
            command
        };
        let theirs = file("onnxruntime.f32");
        let mut onnxruntime = other(python, "onnxruntime_side.py", &theirs);
        if how.profile {
            ours.arg("--profile").arg(file(profile::OURS));
            onnxruntime.arg(file(profile::ONNXRUNTIME));
        }
        // One after the other: each is warm, and has measured its parts, before the next one computes.
        let mut sides = vec![
            Side::start(&mut ours, &logits)?,
            Side::start(&mut onnxruntime, &theirs)?,
        ];
        if let Some(python) = &how.pytorch {
            let logits = file("pytorch.f32");
            sides.push(Side::start(
                &mut other(python, "pytorch_side.py", &logits),
                &logits,
            )?);
        }
        Ok(sides)
    }

    /// `kernels` is a file for the times of a graphics processor's.
    fn in_page(
        &self,
        places: &Places,
        server: &Server,
        [side, backend]: [&str; 2],
        kernels: Option<&Path>,
    ) -> Result<Side> {
        let logits = self.folder.join(format!("{side}-{backend}.f32"));
        let mut node: Command = program("node", &places.root);
        node.arg("tests/onnx/page_side.mjs")
            .args([side, backend, &self.name]);
        node.arg(&self.folder).arg(&logits).args(kernels);
        node.env("DINOMED3D_URL", server.url())
            .env("CHROMIUM", chromium::find()?);
        Side::start(&mut node, &logits)
    }
}

/// Each side in its turn; lines of the table.
fn turns(model: &Model, place: &str, mut sides: Vec<Side>, count: usize) -> Result<Vec<String>> {
    let ours = sides[0].logits()?;
    for other in &sides[1..] {
        let error = relative_error(&other.logits()?, &ours);
        println!(
            "{}, {place}: {} differs by {error:.1e}",
            model.title, other.about
        );
        ensure!(
            error <= TOLERANCE,
            "{}, {place}: the logits of {} differ from ours by {error:.1e} of the largest, expected {TOLERANCE:.0e} at most",
            model.title,
            other.about
        );
    }
    let mut times = vec![Vec::new(); sides.len()];
    let mut fastest = 0.0f64;
    for _ in 0..count.max(1) {
        for (side, times) in sides.iter_mut().zip(&mut times) {
            thread::sleep(UNTIL_IDLE);
            // Not counted: its threads were asleep and its weights in no cache, as in no window of a scan but the first.
            side.window_ms()?;
            times.push(side.window_ms()?);
            fastest = fastest.max(side.product_gflops()?);
        }
    }
    let gflop = model.facts["gflop"]
        .as_f64()
        .context("facts hold the operations")?;
    let ours = Times::of(&mut times[0]);
    let others = sides.iter().zip(&mut times).skip(1);
    Ok(others
        .map(|(side, times)| {
            let other = Times::of(times);
            format!(
                "| {} | {place} | {ours} | {} | {other} | {:.2} | {gflop:.2} | {:.0} at {fastest:.0} GFLOP/s |",
                model.title,
                side.about,
                ours.median / other.median,
                1e3 * gflop / fastest,
            )
        })
        .collect())
}

/// Milliseconds of several turns.
struct Times {
    median: f64,
    least: f64,
    most: f64,
}

impl Times {
    fn of(times: &mut [f64]) -> Self {
        times.sort_by(f64::total_cmp);
        Self {
            median: times[times.len() / 2],
            least: times[0],
            most: times[times.len() - 1],
        }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            median,
            least,
            most,
        } = self;
        write!(f, "{median:.0} ({least:.0} to {most:.0})")
    }
}

/// Largest difference, relative to the largest expected value; infinite for another length and for what is no number.
fn relative_error(found: &[f32], expected: &[f32]) -> f32 {
    if found.len() != expected.len() || found.iter().any(|value| !value.is_finite()) {
        return f32::INFINITY;
    }
    let largest = expected
        .iter()
        .fold(f32::MIN_POSITIVE, |max, x| max.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max) / largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_that_differ_or_are_none_are_seen() {
        assert_eq!(relative_error(&[1.0, -4.0], &[1.0, -4.0]), 0.0);
        assert_eq!(relative_error(&[1.0, -4.0], &[2.0, -4.0]), 0.25);
        assert_eq!(relative_error(&[1.0], &[1.0, 2.0]), f32::INFINITY);
        assert_eq!(relative_error(&[f32::NAN], &[1.0]), f32::INFINITY);
    }

    #[test]
    fn the_median_is_the_middle_of_all_turns() {
        assert_eq!(Times::of(&mut [9.0, 1.0, 4.0]).to_string(), "4 (1 to 9)");
    }
}
