//! Programs that drive the built site in Chromium.

use crate::command::program;
use crate::places::Places;
use crate::server::Server;
use crate::tools::{chromium, npm};
use anyhow::Result;
use std::process::Command;

/// Runs one of Node's programs against the built site.
///
/// # Errors
/// When there is no site, a tool can't be installed, or the program fails.
pub fn run(places: &Places, script: &str) -> Result<()> {
    npm::install_packages(places)?;
    let mut node = program("node", &places.root);
    node.arg(script);
    with_site(places, &mut node, script)
}

/// Runs a command that is told where the site and Chromium are.
///
/// # Errors
/// As [`run()`].
pub fn with_site(places: &Places, command: &mut Command, what: &str) -> Result<()> {
    let server = Server::start(&places.dist(), Some(0))?;
    command
        .env("DINOMED3D_URL", server.url())
        .env("CHROMIUM", chromium::find()?);
    crate::command::run(what, command, "the messages are above")
}
