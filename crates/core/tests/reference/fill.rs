//! The rule that fills a parameter, see the README of the reference numbers.

use super::folder::Reference;
use dinomed3d_core::weights::{NamedTensor, NamedTensors};
use dinomed3d_volume::random::SplitMix64;

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
    let last = name.rsplit('.').next().unwrap();
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
pub fn parameters(reference: &Reference, file: &str) -> NamedTensors {
    let salt = reference.index["settings"]["salt"].as_i64().unwrap_or(0);
    let keys = reference.index[file]["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| {
            let name = key[0].as_str().unwrap().to_owned();
            let shape: Vec<usize> = key[1]
                .as_array()
                .unwrap()
                .iter()
                .map(|edge| usize::try_from(edge.as_u64().unwrap()).unwrap())
                .collect();
            let values = values(&name, &shape, salt.cast_unsigned());
            (name, NamedTensor { shape, values })
        })
        .collect()
}
