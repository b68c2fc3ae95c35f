//! What runs the native program on clusters and in containers, tried as far as its tools can be had.

use crate::command::run;
use crate::native;
use crate::node;
use crate::places::Places;
use crate::sample;
use crate::tools;
use anyhow::Result;
use std::path::PathBuf;

/// How a tool comes here.
type Bring = fn(&Places) -> Result<PathBuf>;

/// Tools by the names that the tests know them by. Each is only for these tests: one that can't be had has its tests skipped.
const TOOLS: [(&str, Bring); 4] = [
    ("SNAKEMAKE", tools::snakemake),
    ("SLURM", tools::slurm),
    ("HADOLINT", tools::hadolint),
    ("SHELLCHECK", tools::shellcheck),
];

/// Runs the workflows for real.
///
/// # Errors
/// When a test fails.
pub fn test(places: &Places) -> Result<()> {
    sample::make(&places.samples())?;
    let mut node = node::tests(places, "tests/workflows")?;
    node.env("DINOMED3D_BIN", native::build(places)?);
    for (name, bring) in TOOLS {
        match bring(places) {
            Ok(path) => node.env(format!("DINOMED3D_{name}"), path),
            Err(error) => node.env(format!("DINOMED3D_NO_{name}"), format!("{error:#}")),
        };
    }
    run(
        "tests of the workflows",
        &mut node,
        "the failures are above",
    )
}
