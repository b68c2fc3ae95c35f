//! How large labels are in many cases, and which labels of a case are far from that.

use crate::volumetry::LabelSize;
use serde::{Deserialize, Serialize};

/// A volume further outside the cases' own range than by this factor is unusual: structures of one person are a half
/// or the double of another's, and a network errs.
const SLACK: f64 = 3.0;

/// Volumes of a label in many cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsualVolume {
    /// Value in the label maps.
    pub value: u8,
    /// The smallest.
    pub min_ml: f64,
    /// The largest.
    pub max_ml: f64,
}

impl UsualVolume {
    /// Of every label that any case has, in the order of the first case; a label that a case lacks has no volume there.
    pub fn of_cases(cases: impl IntoIterator<Item = Vec<LabelSize>>) -> Vec<Self> {
        let mut usual: Vec<Self> = Vec::new();
        for (place, case) in cases.into_iter().enumerate() {
            for LabelSize {
                value, volume_ml, ..
            } in case
            {
                match usual.iter_mut().find(|known| known.value == value) {
                    Some(known) => {
                        known.min_ml = known.min_ml.min(volume_ml);
                        known.max_ml = known.max_ml.max(volume_ml);
                    }
                    None => usual.push(Self {
                        value,
                        min_ml: if place == 0 { volume_ml } else { 0.0 },
                        max_ml: volume_ml,
                    }),
                }
            }
        }
        usual.retain(|usual| usual.max_ml > 0.0);
        usual
    }

    /// Those that a case is far from, with its own volume in millilitres.
    pub fn far_from(usual: &[Self], sizes: &[LabelSize]) -> Vec<(Self, f64)> {
        let found = |usual: &Self| {
            let size = sizes.iter().find(|size| size.value == usual.value)?;
            Some((*usual, size.volume_ml))
        };
        let is_far =
            |(usual, ml): &(Self, f64)| *ml < usual.min_ml / SLACK || *ml > usual.max_ml * SLACK;
        usual.iter().filter_map(found).filter(is_far).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(of: &[(u8, f64)]) -> Vec<LabelSize> {
        let size = |&(value, volume_ml)| LabelSize {
            value,
            voxels: 1,
            volume_ml,
        };
        of.iter().map(size).collect()
    }

    #[test]
    fn the_range_is_that_of_all_cases() {
        let usual = UsualVolume::of_cases([
            sizes(&[(10, 6.0), (16, 20.0), (99, 0.0)]),
            sizes(&[(10, 9.0), (16, 18.0), (77, 1.0)]),
        ]);
        let range = |place: usize| (usual[place].value, usual[place].min_ml, usual[place].max_ml);
        assert_eq!([range(0), range(1)], [(10, 6.0, 9.0), (16, 18.0, 20.0)]);
        assert_eq!((usual.len(), range(2)), (3, (77, 0.0, 1.0)));
    }

    #[test]
    fn only_what_is_three_times_off_is_far() {
        let usual = UsualVolume::of_cases([sizes(&[(10, 6.0), (16, 18.0)])]);
        let far = |of: &[(u8, f64)]| -> Vec<u8> {
            let far = UsualVolume::far_from(&usual, &sizes(of));
            far.iter().map(|(usual, _)| usual.value).collect()
        };
        assert_eq!(far(&[(10, 2.1), (16, 53.0)]), [0u8; 0]);
        assert_eq!(far(&[(10, 1.9), (16, 55.0)]), [10, 16]);
        assert_eq!(far(&[(10, 0.0), (99, 5.0)]), [10]);
    }
}
