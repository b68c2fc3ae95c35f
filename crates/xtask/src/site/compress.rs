//! Compressed copies of what a browser asks for.

use super::derived;
use crate::command::seconds;
use crate::content;
use crate::files;
use crate::places::Places;
use anyhow::Result;
use std::fs;
use std::io::Write;
use std::time::Instant;

/// Files below this many bytes are not worth a compressed copy.
const SMALLEST: u64 = 1024;

/// Of 11: the last two levels take ten times as long for two percent.
const BROTLI_QUALITY: i32 = 9;

/// Lays a .gz and a .br copy beside every text and program in dist.
///
/// # Errors
/// Whatever the file system says.
pub fn run(places: &Places) -> Result<()> {
    let start = Instant::now();
    let mut count = 0;
    for path in files::below(&places.dist())? {
        if !files::has_extension(&path, &["wasm", "js", "css", "html", "svg"])
            || fs::metadata(&path)?.len() < SMALLEST
        {
            continue;
        }
        let input = fs::read(&path)?;
        let key = content::of_bytes(&input);
        let gzip = derived::file(places, &key, "gz", |output| {
            let mut encoder = flate2::write::GzEncoder::new(
                fs::File::create(output)?,
                flate2::Compression::best(),
            );
            encoder.write_all(&input)?;
            encoder.finish()?;
            Ok(())
        })?;
        let brotli = derived::file(places, &format!("{key} {BROTLI_QUALITY}"), "br", |output| {
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
        fs::copy(gzip, files::with_suffix(&path, ".gz"))?;
        fs::copy(brotli, files::with_suffix(&path, ".br"))?;
        count += 1;
    }
    println!(
        "· compressed copies of {count} files: {}",
        seconds(start.elapsed())
    );
    Ok(())
}
