//! Readers given damaged files, all at once and for longer than a test should take, behind whatever else runs.

use crate::command::program;
use crate::native;
use crate::places::Places;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// For how long each reader is given files; `cargo xtask test test` takes it too.
const SECONDS: &str = "DINOMED3D_FUZZ_SECONDS";
/// What a program of readers may come to hold: each of them stops far below it, at the limit for one input.
const MOST_KIB: u64 = 4 << 20;

/// Damages files for a minute a reader, or for `DINOMED3D_FUZZ_SECONDS`.
///
/// # Errors
/// When a reader panics, hangs or takes too much memory, or none is there.
pub fn test(places: &Places) -> Result<()> {
    let seconds = env::var(SECONDS).unwrap_or_else(|_| "60".to_owned());
    let programs = build(places)?;
    ensure!(!programs.is_empty(), "no package has a test named fuzz");
    println!("· damaged files for {seconds} s a reader");
    let start = |path: &PathBuf| {
        let mut targets = in_background(path, &places.root);
        // All at once, also on few cores: none is the last.
        targets.args(["--nocapture", "--test-threads=16"]);
        targets.env(SECONDS, &seconds).stdin(Stdio::null());
        let starting = || format!("starting {}", path.display());
        targets.spawn().with_context(starting)
    };
    let mut running = Vec::new();
    for path in &programs {
        running.push(start(path));
    }
    let mut failed = Vec::new();
    for (targets, path) in running.into_iter().zip(&programs) {
        let status = targets?.wait()?;
        if !status.success() {
            failed.push(format!("{}: {status}", path.display()));
        }
    }
    if !failed.is_empty() {
        bail!(
            "{}; the inputs that did it are named above",
            failed.join(", ")
        );
    }
    Ok(())
}

/// The programs of all packages that have readers to damage files for.
fn build(places: &Places) -> Result<Vec<PathBuf>> {
    let mut cargo = native::cargo(places);
    cargo.args(["test", "--release"]).args(native::PACKAGES);
    cargo.args(["--test", "fuzz", "--no-run", "--message-format=json"]);
    let output = cargo.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the compiler's messages are above");
    Ok(executables(&String::from_utf8_lossy(&output.stdout)))
}

/// Of cargo's messages, a line of JSON each.
fn executables(messages: &str) -> Vec<PathBuf> {
    let of = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_target = message["target"]["name"] == "fuzz";
        let path = message["executable"].as_str().filter(|_| is_target)?;
        Some(PathBuf::from(path))
    };
    messages.lines().filter_map(of).collect()
}

/// A program that leaves the processor to others and whose memory is limited, where that can be said.
fn in_background(path: &Path, directory: &Path) -> Command {
    if !cfg!(unix) {
        return program(path, directory);
    }
    let mut shell = program("sh", directory);
    let script = "ulimit -d \"$0\" && exec nice -n 19 \"$@\"";
    shell
        .arg("-c")
        .arg(script)
        .arg(MOST_KIB.to_string())
        .arg(path);
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_those_of_the_target_that_cargo_names() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"fuzz"},"executable":"/t/fuzz-1"}
{"reason":"compiler-artifact","target":{"name":"burn"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"dinomed3d"},"executable":"/t/dinomed3d"}
{"reason":"compiler-artifact","target":{"name":"fuzz"},"executable":"/t/fuzz-2"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(
            executables(messages),
            ["/t/fuzz-1", "/t/fuzz-2"].map(PathBuf::from)
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_runs_behind_others_has_its_limit_and_its_place() {
        let mut shell = in_background(Path::new("sh"), Path::new("/"));
        shell.args(["-c", "ulimit -d; nice"]);
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said, format!("{MOST_KIB}\n19\n"));
    }
}
