//! Readers against files that are damaged in every way: seeds made here, changed at random for so many seconds a target
//! (`DINOMED3D_FUZZ_SECONDS`, 1 by default). No input may make a reader panic, hang, or hold more than its memory.
//!
//! A step of the tests gives each a minute, all at once (`crates/core/tests/fuzz` too). For ten minutes each:
//! `DINOMED3D_FUZZ_SECONDS=600 cargo xtask test fuzz`.
//!
//! A failure names the round of the input; `DINOMED3D_FUZZ_ROUND` begins at it, or at rounds that were never tried.

mod memory;
mod mutation;
mod rounds;
mod seeds;

use dinomed3d_volume::{Outline, Scan, gzip};
use rounds::{assert_one_line, fuzz};

/// Asks a scan for all that programs ask of it.
fn read_scan(bytes: &[u8], companion: Option<&[u8]>) -> bool {
    let outline = Outline::of(bytes);
    let scan = match Scan::open(bytes, companion) {
        Ok(scan) => scan,
        Err(error) => {
            assert_one_line(&error.to_string());
            return false;
        }
    };
    if companion.is_none() {
        // Not equal where it holds what is no number.
        let found = outline.expect("what opens has an outline");
        assert_eq!(format!("{found:?}"), format!("{:?}", scan.outline()));
    }
    let _ = (
        scan.affine().orientation(),
        scan.stated_spacing_mm(),
        scan.num_volumes(),
    );
    let _ = scan.volume_at(0);
    let _ = scan
        .label_map()
        .map(|map| scan.encode_label_map(&map.labels, "").unwrap());
    drop(scan.encode());
    drop(scan.select(0));
    true
}

#[test]
fn nifti() {
    let seeds = seeds::nifti();
    fuzz("nifti", move |mutation| {
        let (bytes, companion) = mutation.choose(&seeds);
        let (mut bytes, mut companion) = (bytes.clone(), companion.clone());
        match &mut companion {
            Some(companion) if mutation.below(4) == 0 => mutation.change(companion),
            _ => mutation.change(&mut bytes),
        }
        read_scan(&bytes, companion.as_deref())
    });
}

#[test]
fn mgh() {
    let seeds = seeds::mgh();
    fuzz("mgh", move |mutation| {
        let mut bytes = mutation.choose(&seeds).clone();
        mutation.change(&mut bytes);
        read_scan(&bytes, None)
    });
}

/// Damage before packing, of the packed file, and both.
#[test]
fn gzipped() {
    let mut seeds = seeds::mgh();
    seeds.extend(seeds::nifti().into_iter().map(|(bytes, _)| bytes));
    fuzz("gzip", move |mutation| {
        let mut bytes = mutation.choose(&seeds).clone();
        let both = mutation.below(3);
        if both != 1 {
            mutation.change(&mut bytes);
        }
        let mut packed = gzip(&bytes);
        if mutation.below(4) == 0 {
            packed.extend(gzip(&bytes));
        }
        if both != 0 {
            mutation.change(&mut packed);
        }
        read_scan(&packed, None)
    });
}

#[cfg(feature = "dicom")]
mod dicom {
    use std::sync::Arc;

    use dinomed3d_volume::dicom::segmentation;
    use dinomed3d_volume::dicom::{DicomFolder, InMemory, Source, zip_entries};

    use super::*;
    use crate::memory;
    use crate::rounds::MOST_BYTES;

    fn read_folder(sources: Vec<Box<dyn Source>>) -> bool {
        let folder = DicomFolder::read(sources);
        let _ = (folder.passed_over(), folder.others());
        let mut said: Vec<String> = folder
            .unreadable()
            .iter()
            .map(ToString::to_string)
            .collect();
        said.extend(folder.choose(None).err().map(|error| error.to_string()));
        let mut is_read = false;
        for (i, series) in folder.series().iter().enumerate() {
            let _ = (series.spacing_mm(), series.shape(), series.num_volumes());
            said.push(series.in_words());
            let outline = folder.outline(i, 0);
            said.extend(folder.origin(i, 0).err().map(|error| error.to_string()));
            said.extend(folder.thumbnail(i).err().map(|error| error.to_string()));
            match folder.scan(i, 0) {
                Ok(scan) => {
                    assert_eq!(outline.map(|outline| outline.shape), Ok(scan.volume.shape));
                    said.extend(scan.warnings);
                    is_read = true;
                }
                Err(error) => said.push(error.to_string()),
            }
        }
        said.iter().for_each(|said| assert_one_line(said));
        is_read
    }

    #[test]
    fn folder() {
        let seeds = seeds::dicom();
        fuzz("dicom", move |mutation| {
            let mut files = mutation.choose(&seeds).clone();
            for _ in 0..=mutation.below(2) {
                let damaged = mutation.below(files.len());
                mutation.change(&mut files[damaged]);
            }
            let source = |bytes| {
                let name = String::new();
                Box::new(InMemory { name, bytes }) as Box<dyn Source>
            };
            read_folder(files.into_iter().map(source).collect())
        });
    }

    #[test]
    fn zip() {
        let seeds: Vec<Vec<u8>> = seeds::dicom()
            .iter()
            .map(|files| seeds::zip(files))
            .collect();
        fuzz("zip", move |mutation| {
            let mut bytes = mutation.choose(&seeds).clone();
            mutation.change(&mut bytes);
            zip_entries(Arc::from(bytes)).is_ok_and(read_folder)
        });
    }

    #[test]
    fn segmentations() {
        let seeds = seeds::segmentations();
        fuzz("segmentation", move |mutation| {
            let mut bytes = mutation.choose(&seeds).clone();
            mutation.change(&mut bytes);
            // Of a small file's two frames one may lie at either end of a scan: as many voxels are read as a scan may have.
            memory::allow(MOST_BYTES + (1 << 28));
            let found = match segmentation::read(&bytes) {
                Ok(found) => found,
                Err(error) => {
                    assert_one_line(&error.to_string());
                    return false;
                }
            };
            let map = &found.map;
            assert_eq!(map.labels.len(), map.shape.iter().product::<usize>());
            if map.labels.len() < 1 << 20 {
                let laid = found.on_grid(map.shape, &map.affine);
                laid.err()
                    .iter()
                    .for_each(|error| assert_one_line(&error.to_string()));
            }
            true
        });
    }
}
