//! Installing Debian packages, where that is possible.

use crate::command::{on_path, output_of, run_quietly};
use anyhow::{Result, bail};
use std::process::{Command, Stdio};

/// Whether packages can be installed here: Debian or a relative of it, as root.
pub fn can_install() -> bool {
    on_path(&["apt-get"]).is_some()
        && output_of(Command::new("id").arg("-u")).as_deref() == Some("0")
}

/// Installs packages without what they merely recommend.
///
/// # Errors
/// Where that is not possible, with what to install by hand.
pub fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let by_hand = format!("install by hand, on Debian: apt-get install {names}");
    if !can_install() {
        bail!(
            "missing {names}, and packages can only be installed as root with apt-get; {by_hand}"
        );
    }
    let install = || {
        let mut command = Command::new("apt-get");
        command
            .args(["install", "--yes", "--no-install-recommends"])
            // Another step may be installing something else.
            .args(["-o", "DPkg::Lock::Timeout=300"])
            .args(packages);
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        command
    };
    let what = format!("installing Debian's {names}");
    // A fresh machine has no package lists, or old ones.
    if run_quietly(&what, &mut install(), "trying again with new package lists").is_ok() {
        return Ok(());
    }
    run_quietly(
        "reading Debian's package lists",
        Command::new("apt-get").arg("update").stdin(Stdio::null()),
        &by_hand,
    )?;
    run_quietly(&what, &mut install(), &by_hand)
}
