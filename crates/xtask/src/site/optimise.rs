//! wasm-opt over both programs.

use super::derived;
use crate::command::{program, run_quietly};
use crate::content;
use crate::files;
use crate::places::Places;
use crate::tools::npm;
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::thread;

/// What today's Rust emits and Binaryen must be told of.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-simd",
    "--enable-reference-types",
    "--enable-mutable-globals",
    "--enable-multivalue",
];

/// A page is downloaded before anything shows, so it is made small; the worker computes, so it is made fast.
const PAGE_LEVEL: &str = "-Oz";
const WORKER_LEVEL: &str = "-O1";

/// Optimises what lies in dist, both at a time; a result is kept, so that a change of the page does not optimise the worker again.
///
/// # Errors
/// When wasm-opt is missing or fails.
pub fn run(places: &Places) -> Result<()> {
    let wasm_opt = npm::wasm_opt(places)?;
    let lock = fs::read_to_string(places.root.join("package-lock.json"))?;
    let mut programs = files::below(&places.dist())?;
    programs.retain(|path| files::has_extension(path, &["wasm"]));
    let (wasm_opt, lock) = (&*wasm_opt, &*lock);
    thread::scope(|scope| {
        let mut started = Vec::new();
        for path in &programs {
            started.push(scope.spawn(move || optimise(path, wasm_opt, lock, places)));
        }
        started
            .into_iter()
            .try_for_each(|thread| thread.join().expect("a thread that only runs a program"))
    })
}

fn optimise(path: &Path, wasm_opt: &Path, lock: &str, places: &Places) -> Result<()> {
    let name = files::name(path);
    let level = if name.starts_with("page") {
        PAGE_LEVEL
    } else {
        WORKER_LEVEL
    };
    let features = WASM_FEATURES.join(" ");
    let key = [&*content::of_file(path)?, lock, level, &*features].join("\n");
    let output = derived::file(places, &key, "wasm", |output| {
        let mut command = program(wasm_opt, &places.root);
        command.arg(level).args(WASM_FEATURES).arg(path);
        command.arg("-o").arg(output);
        run_quietly(
            &format!("optimising {name}"),
            &mut command,
            "by hand: npm ci",
        )
    })?;
    fs::copy(output, path)?;
    Ok(())
}
