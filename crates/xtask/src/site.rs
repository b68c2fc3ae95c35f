//! Building the site: the sample, NiiVue, the two wasm programs, their optimisation and compressed copies.

use crate::command::{run, run_quietly, seconds};
use crate::content;
use crate::native;
use crate::places::Places;
use crate::toolchain::WasmToolchain;
use crate::tools;
use crate::vendor;
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Everything the built site depends on, beside the tools.
const SOURCES: [&str; 12] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "crates/cli",
    "crates/core",
    "crates/volume",
    "crates/web",
    "crates/xtask",
    "index.html",
    "package-lock.json",
    "public",
];

/// What the build itself puts below those.
const MADE_BY_THE_BUILD: [&str; 2] = ["public/samples", "public/vendor"];

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

/// A page is downloaded before anything shows, so it is made small. For the worker the first level is enough: the higher ones take
/// minutes more, and the browser's compiler makes no faster program of their result.
const PAGE_LEVEL: &str = "-Oz";
const WORKER_LEVEL: &str = "-O1";

/// Files below this many bytes are not worth a compressed copy.
const SMALLEST_COMPRESSED: u64 = 1024;

/// Of 11: the last two levels take ten times as long for two percent.
const BROTLI_QUALITY: i32 = 9;

/// Builds the native program and the site, unless the site is already the one that these sources and tools give.
///
/// # Errors
/// When a tool is missing and can't be installed, or a part does not build.
pub fn build(places: &Places) -> Result<()> {
    let start = Instant::now();
    let toolchain = WasmToolchain::prepare(places)?;
    let stamp = Stamp::new(places, &toolchain)?;
    if stamp.is_there() {
        println!("· site: nothing has changed ({})", seconds(start.elapsed()));
        return Ok(());
    }
    stamp.remove()?;

    tools::npm_packages(places)?;
    let trunk = tools::trunk(places)?;
    make_wasm_bindgen_findable(places)?;
    sample(places)?;
    vendor::copy(places)?;
    bundle(places, &toolchain, &trunk)?;
    optimise(places)?;
    compress(places)?;
    list_for_offline_use(places)?;

    stamp.write()?;
    println!(
        "· site built in {}: {}",
        seconds(start.elapsed()),
        places.dist().display()
    );
    Ok(())
}

/// Says of what the site in dist was built.
struct Stamp {
    file: PathBuf,
    page: PathBuf,
    content: String,
}

impl Stamp {
    fn new(places: &Places, toolchain: &WasmToolchain) -> Result<Self> {
        let content = content::of_files(
            &places.root,
            &SOURCES,
            &MADE_BY_THE_BUILD,
            &[&toolchain.version],
        )?;
        // Not in dist, which is what the public sees.
        Ok(Self {
            file: places.root.join("target/site.stamp"),
            page: places.dist().join("index.html"),
            content,
        })
    }

    fn is_there(&self) -> bool {
        self.page.is_file()
            && fs::read_to_string(&self.file).is_ok_and(|found| found == self.content)
    }

    fn remove(&self) -> Result<()> {
        if self.file.exists() {
            fs::remove_file(&self.file)?;
        }
        Ok(())
    }

    fn write(&self) -> Result<()> {
        if let Some(directory) = self.file.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(&self.file, &self.content)
            .with_context(|| format!("writing {}", self.file.display()))
    }
}

/// Trunk takes wasm-bindgen from PATH, where xtask's tools come first.
fn make_wasm_bindgen_findable(places: &Places) -> Result<()> {
    tools::wasm_bindgen(places).map(|_| ())
}

/// Has the native program make the sample scan and its label map; no data file is committed.
fn sample(places: &Places) -> Result<()> {
    let program = native::build(places)?;
    let samples = places.root.join("public/samples");
    fs::create_dir_all(&samples)?;
    let mut command = crate::command::program(program, &places.root);
    command.args(["sample", "--out"]).arg(&samples);
    run_quietly(
        "making the sample scan",
        &mut command,
        "try `dinomed3d sample --out DIR`",
    )
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
        "building the browser's programs",
        &mut command,
        "the compiler's messages are above",
    )
}

/// Runs wasm-opt over both programs; a result is kept, so that a change of the page does not optimise the worker again.
fn optimise(places: &Places) -> Result<()> {
    let wasm_opt = tools::wasm_opt(places)?;
    let lock = fs::read_to_string(places.root.join("package-lock.json"))?;
    for path in files_below(&places.dist())?
        .into_iter()
        .filter(|path| has_extension(path, &["wasm"]))
    {
        let level = if file_name(&path).starts_with("page") {
            PAGE_LEVEL
        } else {
            WORKER_LEVEL
        };
        let input = fs::read(&path)?;
        let key = [
            content::of_bytes(&input),
            lock.clone(),
            level.to_owned(),
            WASM_FEATURES.join(" "),
        ]
        .join("\n");
        let output = derived(places, &key, "wasm", |output| {
            let mut command = crate::command::program(&wasm_opt, &places.root);
            command
                .arg(level)
                .args(WASM_FEATURES)
                .arg(&path)
                .arg("-o")
                .arg(output);
            run_quietly(
                &format!("optimising {}", file_name(&path)),
                &mut command,
                "by hand: npm ci",
            )
        })?;
        fs::copy(output, &path)?;
    }
    Ok(())
}

/// Lays a .gz and a .br copy beside every text and program that a browser asks for.
fn compress(places: &Places) -> Result<()> {
    let start = Instant::now();
    let mut count = 0;
    for path in files_below(&places.dist())? {
        if !has_extension(&path, &["wasm", "js", "css", "html", "svg"])
            || fs::metadata(&path)?.len() < SMALLEST_COMPRESSED
        {
            continue;
        }
        let input = fs::read(&path)?;
        let key = content::of_bytes(&input);
        let gzip = derived(places, &key, "gz", |output| {
            let mut encoder = flate2::write::GzEncoder::new(
                fs::File::create(output)?,
                flate2::Compression::best(),
            );
            encoder.write_all(&input)?;
            encoder.finish()?;
            Ok(())
        })?;
        let brotli = derived(places, &format!("{key} {BROTLI_QUALITY}"), "br", |output| {
            let parameters = brotli::enc::BrotliEncoderParams {
                quality: BROTLI_QUALITY,
                ..Default::default()
            };
            brotli::BrotliCompress(
                &mut input.as_slice(),
                &mut fs::File::create(output)?,
                &parameters,
            )?;
            Ok(())
        })?;
        fs::copy(gzip, with_suffix(&path, ".gz"))?;
        fs::copy(brotli, with_suffix(&path, ".br"))?;
        count += 1;
    }
    println!(
        "· compressed copies of {count} files … {}",
        seconds(start.elapsed())
    );
    Ok(())
}

/// Writes what the service worker keeps: every file that a browser asks for by its own name, and a version for all of them.
fn list_for_offline_use(places: &Places) -> Result<()> {
    let dist = places.dist();
    let version = content::of_files(&dist, &[""], &[], &[])?;
    let mut files = Vec::new();
    for path in files_below(&dist)? {
        let is_copy = has_extension(&path, &["br", "gz"]) && path.with_extension("").is_file();
        if !is_copy {
            let name = path
                .strip_prefix(&dist)?
                .to_string_lossy()
                .replace('\\', "/");
            // The page is asked for by its folder's address.
            files.push(if name == "index.html" {
                "./".to_owned()
            } else {
                name
            });
        }
    }
    let list = serde_json::json!({ "version": &version[..16], "files": files });
    let path = dist.join("offline.json");
    fs::write(&path, serde_json::to_vec_pretty(&list)?)
        .with_context(|| format!("writing {}", path.display()))
}

/// A file made from inputs that `key` names in full: made once, then found again.
fn derived(
    places: &Places,
    key: &str,
    extension: &str,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    fs::create_dir_all(&places.derived)?;
    let file = places
        .derived
        .join(content::of_bytes(key.as_bytes()))
        .with_extension(extension);
    if !file.is_file() {
        let unfinished = file.with_extension(format!("{}.unfinished", std::process::id()));
        make(&unfinished)?;
        fs::rename(&unfinished, &file)?;
    }
    Ok(file)
}

/// All files at and below a directory.
///
/// # Errors
/// When it can't be read.
pub fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in
        fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?
    {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .and_then(OsStr::to_str)
        .is_some_and(|extension| extensions.contains(&extension))
}

/// A path's last part.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// A path with something after its last part.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
