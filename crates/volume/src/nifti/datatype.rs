//! The codes of what a voxel can be.

use crate::{Datatype, ScanError};

/// Source: nifti1.h.
const CODES: [(i16, Datatype); 12] = [
    (2, Datatype::Uint8),
    (4, Datatype::Int16),
    (8, Datatype::Int32),
    (16, Datatype::Float32),
    (64, Datatype::Float64),
    (128, Datatype::Rgb24),
    (256, Datatype::Int8),
    (512, Datatype::Uint16),
    (768, Datatype::Uint32),
    (1024, Datatype::Int64),
    (1280, Datatype::Uint64),
    (2304, Datatype::Rgba32),
];

pub(super) fn from_code(code: i64) -> Result<Datatype, ScanError> {
    let known = CODES.iter().find(|(known, _)| i64::from(*known) == code);
    known.map(|(_, datatype)| *datatype).ok_or(match code {
        32 => ScanError::Complex { name: "complex64" },
        1792 => ScanError::Complex { name: "complex128" },
        2048 => ScanError::Complex { name: "complex256" },
        _ => ScanError::Datatype {
            code,
            name: match code {
                1 => "bits",
                1536 => "float128",
                _ => "unknown",
            },
        },
    })
}

pub(super) fn code(datatype: Datatype) -> i16 {
    let known = CODES.iter().find(|(_, known)| *known == datatype);
    known.expect("every datatype has a code").0
}
