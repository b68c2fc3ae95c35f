//! Libraries for graphics cards, out of Python's packages.

use crate::places::Places;
use crate::tools::wheels::{self, Wheel};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

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
    let llvm = wheels::unpacked(places, &LLVM)?.join("mlc_llvm_static/static");
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
    anyhow::bail!("LLVM for CUDA comes as a Linux package only")
}

/// The folder of PyTorch's libraries and headers (as in `LIBTORCH`).
///
/// # Errors
/// When it can't be fetched.
pub fn libtorch(places: &Places) -> Result<PathBuf> {
    Ok(wheels::unpacked(places, &TORCH)?.join("torch"))
}

/// NVIDIA's `libdevice` and its licence.
///
/// # Errors
/// When it can't be fetched.
pub fn libdevice(places: &Places) -> Result<[PathBuf; 2]> {
    let folder = wheels::unpacked(places, &NVVM)?;
    Ok([
        folder.join("nvidia/cu13/nvvm/libdevice/libdevice.10.bc"),
        folder.join("nvidia_nvvm-13.0.88.dist-info/licenses/License.txt"),
    ])
}
