//! Node's test runner.

use crate::command::program;
use crate::files;
use crate::places::Places;
use crate::tools::npm;
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// Runs a directory's tests, two files at a time: what they wait for leaves half of two cores idle.
///
/// # Errors
/// When there are none, or what they need can't be installed.
pub fn tests(places: &Places, directory: &str) -> Result<Command> {
    let tests: Vec<PathBuf> = files::below(&places.root.join(directory))?
        .into_iter()
        .filter(|path| files::name(path).ends_with(".test.mjs"))
        .collect();
    if tests.is_empty() {
        bail!("{directory} holds no *.test.mjs");
    }
    npm::install_packages(places)?;
    let mut node = program("node", &places.root);
    node.args([
        "--test",
        "--test-concurrency=2",
        "--test-timeout=900000",
        "--test-reporter=spec",
    ])
    .args(tests);
    Ok(node)
}
