//! Label maps of other programs, whose numbers may be larger than ours.

use crate::{LabelMap, Scan, ScanError, whole};
use std::collections::{BTreeMap, BTreeSet};

/// The largest number that a label may have: that of a file of 32-bit integers.
const LARGEST: u32 = i32::MAX as u32;

/// A label map of which each number has a code of a byte: its own where it fits in one.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberedMap {
    /// Codes, 0 for background.
    pub codes: LabelMap,
    /// Which number of the file each code stands for, without the background's.
    pub numbers: BTreeMap<u8, u32>,
}

impl NumberedMap {
    /// Of a file's one volume; FreeSurfer's parcellations go up to 14 175. No large number gets a code of `taken`.
    ///
    /// # Errors
    /// As [`Scan::label_map`], and [`ScanError::ManyLabels`] where codes do not suffice.
    pub fn of(scan: &Scan, taken: &[u8]) -> Result<Self, ScanError> {
        let mut found = BTreeSet::new();
        let mut last = 0;
        // What is no number is refused below, where its voxel is known.
        let numbers = scan
            .values()
            .filter_map(|value| whole(value).and_then(number_of));
        for number in numbers {
            if number != last {
                last = number;
                found.insert(number);
            }
            if found.len() > 256 {
                return Err(ScanError::ManyLabels);
            }
        }
        found.remove(&0);
        let fits = |number: &u32| u8::try_from(*number).is_ok();
        let mut free = (1..=255u8).rev();
        let mut numbers = BTreeMap::new();
        for number in found.iter().filter(|number| fits(number)) {
            numbers.insert(*number as u8, *number);
        }
        for number in found.iter().filter(|number| !fits(number)) {
            let code = free.find(|code| !numbers.contains_key(code) && !taken.contains(code));
            numbers.insert(code.ok_or(ScanError::ManyLabels)?, *number);
        }
        let code_of: BTreeMap<u32, u8> = numbers.iter().map(|(code, n)| (*n, *code)).collect();
        let codes = scan.labels_by(LARGEST, |number| match number_of(number)? {
            0 => Some(0),
            number => code_of.get(&number).copied(),
        })?;
        Ok(Self { codes, numbers })
    }
}

fn number_of(whole: i64) -> Option<u32> {
    u32::try_from(whole)
        .ok()
        .filter(|number| *number <= LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Affine;
    use crate::nifti::{Values, encode};

    fn read(numbers: &[f32]) -> Result<NumberedMap, ScanError> {
        let affine = Affine::from_spacing_mm([1.0, 2.0, 3.0]);
        let file = encode(
            &[numbers.len(), 1, 1],
            &affine,
            Values::Float32(numbers),
            "",
        );
        NumberedMap::of(&Scan::open(&file, None)?, &[253])
    }

    #[test]
    fn numbers_keep_their_own_code_where_they_can() {
        let map = read(&[0.0, 3.0, 255.0, 2035.0, 1001.0, 2035.0, 254.0]).unwrap();
        assert_eq!(map.codes.labels, [0, 3, 255, 251, 252, 251, 254]);
        let expected = [(3, 3), (251, 2035), (252, 1001), (254, 254), (255, 255)];
        assert_eq!(map.numbers, expected.into());
    }

    #[test]
    fn what_is_no_label_map_is_refused() {
        let error = |numbers: &[f32]| read(numbers).unwrap_err().to_string();
        let many: Vec<f32> = (0..=256).map(|number| 10.0 * number as f32).collect();
        assert!(read(&many[..255]).is_ok());
        assert!(read(&many[..256]).is_err(), "one code is taken");
        assert_eq!(
            error(&many),
            "it holds more than 255 different numbers, which are too many for labels"
        );
        assert!(error(&[0.0, 1.0, 0.5]).contains("voxel [2, 0, 0] (x, y, z) holds 0.5"));
        assert!(error(&[0.0, -7.0]).contains("voxel [1, 0, 0] (x, y, z) holds -7"));
    }
}
