//! One archive that is all one has to bring to a Linux machine with a graphics card.

use crate::card_libraries;
use crate::cards;
use crate::command::{output_of, program, run, run_quietly};
use crate::files::{self, copy, copy_folder};
use crate::native;
use crate::node;
use crate::places::Places;
use crate::sample;
use crate::tools::debian;
use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes that the archive may have.
const CEILING: u64 = 50_000_000;
/// The same with data of the user's in it: what may be brought in to a lent machine.
const CEILING_WITH_DATA: u64 = 64 << 20;
/// Name of the folder and of the archive.
const NAME: &str = "dinomed3d";
/// What is done on the other machine.
const SCRIPT: &str = include_str!("bundle/run.sh");

/// Arguments of `bundle`.
#[derive(clap::Args)]
pub struct Args {
    /// What to train on there: a folder of label maps (labels.tsv, NIfTI files), or a data set.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A scan to segment there, such as a whole head.
    #[arg(long, value_name = "FILE")]
    scan: Option<PathBuf>,
    /// Numbers of the reference implementation to compare with there [default: the repository's].
    #[arg(long, value_name = "DIR")]
    reference: Option<PathBuf>,
    /// Where folder and archive go.
    #[arg(long, value_name = "DIR", default_value = "bundle")]
    out: PathBuf,
}

/// Builds the programs for graphics cards and packs them.
///
/// # Errors
/// When something does not build, or the archive is too large.
pub fn make(places: &Places, args: &Args) -> Result<()> {
    let committed = || places.root.join("crates/core/tests/reference/numbers");
    let reference = args.reference.clone().unwrap_or_else(committed);
    let folder = emptied(&places.root.join(&args.out).join(NAME))?;
    for (features, name) in [
        (&["libtorch"][..], "dinomed3d-libtorch"),
        (&["cuda", "vulkan"], "dinomed3d"),
        (&["webgpu"], "dinomed3d-webgpu"),
    ] {
        let built = cards::build(places, features)?;
        place_program(&built, &folder.join("bin").join(name))?;
    }
    let [libdevice, licence] = card_libraries::libdevice(places)?;
    let nvvm = folder.join("cuda/nvvm/libdevice");
    copy(&libdevice, &nvvm.join("libdevice.10.bc"))?;
    copy(&licence, &nvvm.join("LICENCE.txt"))?;
    place_rest(places, &folder)?;
    copy_folder(&reference, &folder.join("reference"))?;
    if let Some(scan) = &args.scan {
        let name = scan.file_name().context("the scan has no name")?;
        copy(scan, &folder.join("scan").join(name))?;
    }
    if let Some(data) = &args.data {
        place_data(data, &folder.join("data"))?;
    }
    let archive = pack(&folder, "-9e")?;
    let bytes = fs::metadata(&archive)?.len();
    let ceiling = if args.data.is_some() || args.scan.is_some() {
        CEILING_WITH_DATA
    } else {
        CEILING
    };
    ensure!(
        bytes <= ceiling,
        "{} has {bytes} bytes, {ceiling} are allowed",
        archive.display()
    );
    println!(
        "{} has {bytes} bytes; there: tar -xf {NAME}.tar.xz && {NAME}/run.sh OUT SECONDS",
        archive.display()
    );
    Ok(())
}

/// Packs the program for the processor as [`make()`] does those for cards, and lets it do there all that is done.
///
/// # Errors
/// When it can't be packed, or the tests fail.
pub fn test(places: &Places) -> Result<()> {
    let scratch = env::temp_dir().join(format!("dinomed3d-bundle-{}", std::process::id()));
    let folder = emptied(&scratch.join(NAME))?;
    let built = native::build(places)?;
    place_program(&built, &folder.join("bin/dinomed3d"))?;
    place_rest(places, &folder)?;
    let archive = pack(&folder, "-0")?;
    let mut node = node::tests(places, "tests/bundle")?;
    node.env("DINOMED3D_BUNDLE", archive)
        .env("DINOMED3D_BIN", built);
    let result = run("tests of the bundle", &mut node, "the failures are above");
    fs::remove_dir_all(scratch)?;
    result
}

/// A program without its symbols.
fn place_program(from: &Path, to: &Path) -> Result<()> {
    copy(from, to)?;
    run_quietly(
        "stripping it",
        program("strip", Path::new(".")).arg(to),
        "strip comes with the linker, in Debian's binutils",
    )
}

/// What every bundle holds beside programs.
fn place_rest(places: &Places, folder: &Path) -> Result<()> {
    copy_folder(&places.root.join("recipes"), &folder.join("recipes"))?;
    copy_folder(&places.root.join("public/models"), &folder.join("models"))?;
    copy(&places.root.join("LICENSE"), &folder.join("LICENSE"))?;
    sample::make(&folder.join("sample"))?;
    let script = folder.join("run.sh");
    fs::write(&script, SCRIPT)?;
    make_executable(&script)?;
    let mut git = program("git", &places.root);
    let commit = output_of(git.args(["describe", "--always", "--dirty"]));
    let version = format!("DINO-Med3D {}\n", commit.as_deref().unwrap_or("unknown"));
    fs::write(folder.join("version.txt"), version)?;
    Ok(())
}

/// Training data. Label maps lie unpacked in the bundle: what gzip has packed xz can't pack better, and it packs them in a third.
fn place_data(from: &Path, to: &Path) -> Result<()> {
    if !from.join("labels.tsv").is_file() {
        return copy_folder(from, to);
    }
    copy(&from.join("labels.tsv"), &to.join("labels.tsv"))?;
    let maps = [from.to_owned(), from.join("labels")];
    for folder in maps.iter().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = files::name(&path);
            let target = to.join("labels").join(name.trim_end_matches(".gz"));
            if name.ends_with(".nii") {
                copy(&path, &target)?;
            } else if name.ends_with(".nii.gz") {
                fs::create_dir_all(to.join("labels"))?;
                let mut packed = GzDecoder::new(fs::File::open(&path)?);
                io::copy(&mut packed, &mut fs::File::create(&target)?)
                    .with_context(|| format!("unpacking {}", path.display()))?;
            }
        }
    }
    Ok(())
}

/// Packs a folder into the archive beside it; `level` is xz's. Of label maps `-9e` takes a quarter off what `-9` leaves, in minutes.
fn pack(folder: &Path, level: &str) -> Result<PathBuf> {
    if output_of(program("xz", folder).arg("--version")).is_none() {
        debian::install(&["xz-utils"])?;
    }
    let archive = folder.with_extension("tar.xz");
    let mut tar = program("tar", folder.parent().context("a folder in a folder")?);
    tar.args(["--owner=0", "--group=0", "--sort=name", "-cJf"])
        .arg(&archive)
        .arg(folder.file_name().context("a folder has a name")?)
        .env("XZ_OPT", level);
    run_quietly("packing", &mut tar, "tar's messages are above")?;
    Ok(archive)
}

fn emptied(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(
        path,
        fs::Permissions::from_mode(0o755),
    )?)
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}
