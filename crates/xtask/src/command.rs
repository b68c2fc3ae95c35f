//! Running other programs: one line that says what is done and how long it took.

use anyhow::{Context, Result, bail};
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A program in a directory, without what cargo adds to the environment of `cargo run`, so that a nested cargo sees the same
/// environment as one called by hand and rebuilds nothing.
pub fn program(name: impl AsRef<OsStr>, directory: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(directory).stdin(Stdio::null());
    for (key, _) in env::vars_os() {
        let name = key.to_string_lossy();
        if name == "CARGO"
            || name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || name.starts_with("CARGO_BIN_")
        {
            command.env_remove(&key);
        }
    }
    command
}

/// Runs a command whose output is only worth reading when it fails.
///
/// # Errors
/// When the command can't be started or fails; `hint` says what to do by hand.
pub fn run_quietly(what: &str, command: &mut Command, hint: &str) -> Result<()> {
    let start = Instant::now();
    println!("· {what} …");
    let output = command
        .output()
        .with_context(|| format!("{what}: cannot start {:?}; {hint}", command.get_program()))?;
    println!("· {what}: {}", seconds(start.elapsed()));
    if output.status.success() {
        return Ok(());
    }
    eprintln!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    bail!(
        "{what}: {} ({:?}); {hint}",
        output.status,
        command.get_program()
    )
}

/// Runs a command whose output is shown as it comes.
///
/// # Errors
/// When the command can't be started or fails; `hint` says what to do by hand.
pub fn run(what: &str, command: &mut Command, hint: &str) -> Result<()> {
    let start = Instant::now();
    println!("· {what}");
    let status = command
        .status()
        .with_context(|| format!("{what}: cannot start {:?}; {hint}", command.get_program()))?;
    if !status.success() {
        bail!(
            "{what}: {status} ({:?}) after {}; {hint}",
            command.get_program(),
            seconds(start.elapsed())
        );
    }
    println!("· {what}: {}", seconds(start.elapsed()));
    Ok(())
}

/// What a command prints, without the white space around it; nothing when it can't be started or fails.
pub fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a command without output for at most `limit`; whether it succeeded in that time.
pub fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let start = Instant::now();
    let Ok(mut child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
        return false;
    };
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if start.elapsed() < limit => thread::sleep(Duration::from_millis(100)),
            _ => return stop(&mut child),
        }
    }
}

fn stop(child: &mut Child) -> bool {
    // It may have ended by itself in between: either way it is gone.
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// The first of some program names that lies on PATH.
pub fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let directories: Vec<PathBuf> = env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        let name = format!("{name}{}", env::consts::EXE_SUFFIX);
        directories
            .iter()
            .map(|directory| directory.join(&name))
            .find(|file| file.is_file())
    })
}

/// PATH with some directories before all others.
pub fn path_starting_with(directories: &[PathBuf]) -> Result<OsString> {
    let rest = env::var_os("PATH").unwrap_or_default();
    let all = directories.iter().cloned().chain(env::split_paths(&rest));
    env::join_paths(all).context("a directory name cannot stand in PATH")
}

/// A duration for a person.
pub fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
