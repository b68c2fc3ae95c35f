//! What a file may say about the spacing of the model grid.

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// How a file says that a scan keeps its own spacing.
const OWN: &str = "own";

/// Spacing of the model grid, as a file says it: three numbers, or `"own"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spacing {
    /// A scan keeps its own.
    Own,
    /// Edges of a voxel in mm, `[slice, row, column]`.
    Mm([f64; 3]),
}

impl From<Option<[f64; 3]>> for Spacing {
    fn from(spacing_mm: Option<[f64; 3]>) -> Self {
        spacing_mm.map_or(Self::Own, Self::Mm)
    }
}

impl From<Spacing> for Option<[f64; 3]> {
    fn from(spacing: Spacing) -> Self {
        match spacing {
            Spacing::Own => None,
            Spacing::Mm(mm) => Some(mm),
        }
    }
}

impl Serialize for Spacing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Own => serializer.serialize_str(OWN),
            Self::Mm(mm) => mm.serialize(serializer),
        }
    }
}

// Not derived: of an untagged enum serde says no more than that nothing matched.
impl<'de> Deserialize<'de> for Spacing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OwnOrMm;
        impl<'de> Visitor<'de> for OwnOrMm {
            type Value = Spacing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("three edges of a voxel in mm, or \"own\" for the scan's own")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
                if word == OWN {
                    Ok(Spacing::Own)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(word), &self))
                }
            }

            fn visit_seq<S: SeqAccess<'de>>(self, edges: S) -> Result<Self::Value, S::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(edges)).map(Spacing::Mm)
            }
        }
        deserializer.deserialize_any(OwnOrMm)
    }
}

/// Reads a spacing that is there; where there is none, `serde(default)` says that the scan keeps its own.
pub(super) fn read<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<[f64; 3]>, D::Error> {
    Spacing::deserialize(deserializer).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_and_three_numbers_are_read_and_other_words_are_named() {
        let read = |json: &str| serde_json::from_str::<Spacing>(json);
        assert_eq!(read("\"own\"").unwrap(), Spacing::Own);
        assert_eq!(read("[3, 0.5, 1.0]").unwrap(), Spacing::Mm([3.0, 0.5, 1.0]));
        let error = read("\"median\"").unwrap_err().to_string();
        assert!(error.contains("median") && error.contains("own"), "{error}");
        assert!(read("[1, 1]").is_err());
        assert_eq!(serde_json::to_string(&Spacing::Own).unwrap(), "\"own\"");
        assert_eq!(
            serde_json::to_string(&Spacing::Mm([1.0; 3])).unwrap(),
            "[1.0,1.0,1.0]"
        );
    }
}
