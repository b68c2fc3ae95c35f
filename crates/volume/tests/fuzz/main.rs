//! Readers against files that are damaged in every way: seeds made here, changed at random for so many seconds a target
//! (`DINOMED3D_FUZZ_SECONDS`, 5 by default). No input may make a reader panic, hang, or hold more than its memory.
//!
//! A failure names the round of the input; `DINOMED3D_FUZZ_ROUND` begins at it, or at rounds that were never tried.

mod memory;
mod mutation;
mod seeds;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dinomed3d_volume::{Scan, gzip};
use mutation::Mutation;

/// What a reader may hold of one input; seeds are a thousandth of it.
const MOST_BYTES: usize = 200 << 20;
const LONGEST: Duration = Duration::from_secs(2);

fn number(variable: &str, otherwise: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}: a whole number is expected"))
    })
}

/// Has `read` read changed seeds until the time is up; each round is an input of its own, whatever came before it. `read`
/// says whether the input was taken for what it was.
fn fuzz(target: &'static str, read: impl Fn(&mut Mutation) -> bool + Send + 'static) {
    let seconds = Duration::from_secs(number("DINOMED3D_FUZZ_SECONDS", 5));
    let first = number("DINOMED3D_FUZZ_ROUND", 0);
    // The round that is on, and when it began.
    static NEVER: u64 = u64::MAX;
    let on: &'static [AtomicU64; 2] =
        Box::leak(Box::new([AtomicU64::new(first), AtomicU64::new(NEVER)]));
    let begun = Instant::now();
    let reader = std::thread::spawn(move || {
        let mut taken = 0;
        for round in first.. {
            if begun.elapsed() > seconds {
                println!("{target}: {} inputs, {taken} of them read", round - first);
                return taken;
            }
            let mut mutation = Mutation::new(round);
            on[0].store(round, Ordering::Relaxed);
            on[1].store(begun.elapsed().as_millis() as u64, Ordering::Relaxed);
            memory::allow(MOST_BYTES);
            let ended = catch_unwind(AssertUnwindSafe(|| read(&mut mutation)));
            let refused = memory::refused();
            on[1].store(NEVER, Ordering::Relaxed);
            match ended {
                Ok(is_taken) => taken += u64::from(is_taken),
                Err(_) => panic!("{target}: round {round} panicked"),
            }
            if let Some(bytes) = refused {
                panic!("{target}: round {round} asked for {bytes} bytes beyond {MOST_BYTES}");
            }
        }
        taken
    });
    while !reader.is_finished() {
        std::thread::sleep(Duration::from_millis(20));
        let since = on[1].load(Ordering::Relaxed);
        let now = begun.elapsed().as_millis() as u64;
        assert!(
            since == NEVER || now.saturating_sub(since) < LONGEST.as_millis() as u64,
            "{target}: round {} takes longer than {LONGEST:?}",
            on[0].load(Ordering::Relaxed)
        );
    }
    let taken = reader.join().expect("said above");
    // Damage that is always found at once tries little.
    assert!(taken > 0, "{target}: no input was read");
}

/// Asks a scan for all that programs ask of it.
fn read_scan(bytes: &[u8], companion: Option<&[u8]>) -> bool {
    let scan = match Scan::open(bytes, companion) {
        Ok(scan) => scan,
        Err(error) => {
            let said = error.to_string();
            assert!(
                !said.is_empty() && !said.contains(char::is_control),
                "{said:?}"
            );
            return false;
        }
    };
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

    use dinomed3d_volume::dicom::{DicomFolder, InMemory, Source, zip_entries};

    use super::*;

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
            said.extend(folder.thumbnail(i).err().map(|error| error.to_string()));
            match folder.scan(i, 0) {
                Ok(scan) => {
                    said.extend(scan.warnings);
                    is_read = true;
                }
                Err(error) => said.push(error.to_string()),
            }
        }
        for said in said {
            assert!(!said.contains(char::is_control), "{said:?}");
        }
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
}
