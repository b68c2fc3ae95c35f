//! The rule that fills a parameter, see the README of the reference numbers.

use super::{Reference, ReferenceError};
use crate::weights::import::{Checkpoint, ImportError};
use crate::weights::{NamedTensor, NamedTensors};
use dinomed3d_volume::random::SplitMix64;
use std::io::{self, Write};
use tempfile::{NamedTempFile, TempPath};

fn values(name: &str, shape: &[usize], salt: u64) -> Vec<f32> {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    hash = hash.wrapping_add(salt);
    let count = shape.iter().product::<usize>();
    let mut random = SplitMix64::new(hash);
    let uniform =
        (0..count).map(|_| (random.next_u64() >> 40) as f64 / f64::from(1 << 24) * 2.0 - 1.0);
    let last = name.rsplit('.').next().unwrap_or(name);
    let value = |u: f64| match (shape.len(), last) {
        (2.., _) => u * (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt(),
        (_, "gamma" | "lambda1") => 0.5 + 0.1 * u,
        (_, "weight") if count == 1 => 0.25 + 0.1 * u,
        (_, "weight") => 1.0 + 0.1 * u,
        _ => 0.1 * u,
    };
    uniform.map(|u| value(u) as f32).collect()
}

/// All parameters of a file of the reference, under their own names.
fn parameters(reference: &Reference, file: &str) -> Result<NamedTensors, ReferenceError> {
    let salt = reference.index["settings"]["salt"].as_i64().unwrap_or(0);
    let named = |(name, shape): (String, Vec<usize>)| {
        let values = values(&name, &shape, salt.cast_unsigned());
        (name, NamedTensor { shape, values })
    };
    Ok(reference.parameters(file)?.into_iter().map(named).collect())
}

/// A checkpoint of a file's parameters, to be taken over as another's is: written and opened. It is there as long as what comes with it.
pub fn checkpoint(
    reference: &Reference,
    file: &str,
) -> Result<(Checkpoint, TempPath), ReferenceError> {
    use crate::weights::{encode, file::Quantization};
    let bytes = encode(&parameters(reference, file)?, Quantization::None)?;
    let written = || -> io::Result<TempPath> {
        let mut file = NamedTempFile::with_prefix("dinomed3d-reference-")?;
        file.write_all(&bytes)?;
        Ok(file.into_temp_path())
    };
    let path = written().map_err(|error| ImportError::File {
        path: std::env::temp_dir(),
        reason: error.to_string(),
    })?;
    Ok((Checkpoint::open(&path)?, path))
}
