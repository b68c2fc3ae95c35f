//! Building the site: the sample, NiiVue, the two wasm programs, their optimisation, documents and compressed copies.

mod compress;
mod derived;
mod documents;
mod markdown;
mod offline;
mod optimise;
mod stamp;
mod vendor;

use crate::command::{run, seconds};
use crate::places::Places;
use crate::sample;
use crate::tools::toolchain::WasmToolchain;
use crate::tools::wasm_library::WASM_TARGET;
use crate::tools::{self, npm};
use anyhow::Result;
use std::path::Path;
use std::thread;
use std::time::Instant;

/// Builds the site, unless it is already the one that these sources and tools give.
///
/// # Errors
/// When a tool is missing and can't be installed, or a part does not build.
pub fn build(places: &Places) -> Result<()> {
    let start = Instant::now();
    let toolchain = WasmToolchain::prepare(places)?;
    let stamp = stamp::Stamp::new(places, &toolchain.version)?;
    if stamp.is_there() {
        println!("· site: nothing has changed ({})", seconds(start.elapsed()));
        return Ok(());
    }
    stamp.remove()?;

    npm::install_packages(places)?;
    // Linking the worker takes one core for minutes; so may building the bundler.
    let trunk = thread::scope(|scope| {
        let tools = scope.spawn(|| {
            // Trunk takes it from PATH, where xtask's tools come first.
            tools::wasm_bindgen(places)?;
            tools::trunk(places)
        });
        let compiled = compile(places, &toolchain);
        let trunk = tools.join().expect("a thread that only runs programs");
        compiled.and(trunk)
    })?;
    sample::make(&places.samples())?;
    vendor::copy(places)?;
    bundle(places, &toolchain, &trunk)?;
    optimise::run(places)?;
    documents::write(&places.root, &places.dist())?;
    compress::run(places)?;
    offline::list(places)?;

    stamp.write()?;
    println!(
        "· site built in {}: {}",
        seconds(start.elapsed()),
        places.dist().display()
    );
    Ok(())
}

/// Compiles both programs as Trunk will ask for them, and then finds them.
fn compile(places: &Places, toolchain: &WasmToolchain) -> Result<()> {
    for program in [
        &["--bin", "page"][..],
        &["--bin", "worker", "--features", "worker"],
    ] {
        let mut cargo = toolchain.cargo(places)?;
        cargo.args(["build", "--profile", "wasm", "--target", WASM_TARGET]);
        cargo.args(["--package", "dinomed3d-web"]).args(program);
        run(
            &format!("compiling the browser's {}", program[1]),
            &mut cargo,
            "the compiler's messages are above",
        )?;
    }
    Ok(())
}

fn bundle(places: &Places, toolchain: &WasmToolchain, trunk: &Path) -> Result<()> {
    let mut command = toolchain.command(trunk, places)?;
    command.args([
        "build",
        "--release",
        "--cargo-profile",
        "wasm",
        "--skip-version-check",
    ]);
    // Trunk takes only the words true and false in it.
    command.env_remove("NO_COLOR");
    run(
        "bundling the browser's programs",
        &mut command,
        "the messages are above",
    )
}
