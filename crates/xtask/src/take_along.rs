//! The site with its models and samples as one archive that runs from a stick.

use crate::files;
use crate::places::Places;
use crate::site;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Folder of everything in the archive.
const FOLDER: &str = "dinomed3d";
/// What a person reads first.
const README: &str = include_str!("take_along/README.txt");

/// Arguments of `take-along`.
#[derive(clap::Args)]
pub struct Args {
    /// The archive.
    #[arg(long, value_name = "FILE", default_value = "dinomed3d-take-along.zip")]
    out: PathBuf,
}

/// Builds the site and packs it.
///
/// # Errors
/// When it does not build, or the archive can't be written.
pub fn make(places: &Places, args: &Args) -> Result<()> {
    site::build(places)?;
    let archive = places.root.join(&args.out);
    pack(places, &archive)?;
    println!(
        "{} has {} bytes; {FOLDER}/README.txt in it says how it is started",
        archive.display(),
        fs::metadata(&archive)?.len()
    );
    Ok(())
}

/// Packs the built site. What only a server of our own would send, compressed copies, stays here.
///
/// # Errors
/// When there is no site, or the archive can't be written.
pub fn pack(places: &Places, archive: &Path) -> Result<()> {
    let site = places.dist();
    let file = File::create(archive).with_context(|| format!("writing {}", archive.display()))?;
    let mut zip = ZipWriter::new(BufWriter::new(file));
    let mut add = |name: &str, bytes: &[u8]| -> Result<()> {
        // Without a time: the same site gives the same archive.
        zip.start_file(format!("{FOLDER}/{name}"), SimpleFileOptions::default())?;
        Ok(zip.write_all(bytes)?)
    };
    add("README.txt", README.as_bytes())?;
    add("LICENSE.txt", &fs::read(places.root.join("LICENSE"))?)?;
    for path in files::below(&site)? {
        if !files::is_compressed_copy(&path) {
            let name = path.strip_prefix(&site)?.to_string_lossy();
            add(
                &format!("site/{}", name.replace('\\', "/")),
                &fs::read(&path)?,
            )?;
        }
    }
    zip.finish()?.flush()?;
    Ok(())
}
