//! What is looked at without compiling: form, spelling, dependencies.

use crate::command::{program, run, succeeds_within};
use crate::native;
use crate::node;
use crate::places::Places;
use crate::tools;
use anyhow::Result;
use std::time::Duration;

/// The database of known faults is a small repository.
const DATABASE_LIMIT: Duration = Duration::from_secs(60);

/// Every Rust file has rustfmt's form.
///
/// # Errors
/// When one has not.
pub fn format(places: &Places) -> Result<()> {
    let mut cargo = native::cargo(places);
    cargo.args(["fmt", "--all", "--check"]);
    run("cargo fmt", &mut cargo, "run `cargo fmt --all`")
}

/// No word is misspelt, except those that typos.toml allows.
///
/// # Errors
/// When one is, or the tool can't be installed.
pub fn spelling(places: &Places) -> Result<()> {
    run(
        "typos",
        &mut program(tools::typos(places)?, &places.root),
        "mend the word, or allow it in typos.toml",
    )
}

/// Imports run one way, and documents name what is there.
///
/// # Errors
/// When files import each other in a circle, a document's link leads nowhere, `ARCHITECTURE.md` lacks a file or names one that is
/// gone, or Node can't be installed.
pub fn house(places: &Places) -> Result<()> {
    let mut node = node::tests(places, "tests/house")?;
    run(
        "house",
        &mut node,
        "of a circle, what both need goes into a file of its own; a document says what is there",
    )
}

/// Licences and origins of all dependencies are among those of deny.toml; known faults are looked for where their database can
/// be fetched.
///
/// # Errors
/// When one is not, or the tool can't be installed.
pub fn dependencies(places: &Places) -> Result<()> {
    let deny = tools::cargo_deny(places)?;
    let database = succeeds_within(
        program(&deny, &places.root).args(["fetch", "db"]),
        DATABASE_LIMIT,
    );
    let mut check = program(&deny, &places.root);
    check.args(["check", "licenses", "bans", "sources"]);
    if database {
        check.arg("advisories");
    } else {
        println!("known faults are not looked for: their database can't be fetched here");
    }
    run("cargo-deny", &mut check, "deny.toml says what is allowed")
}
