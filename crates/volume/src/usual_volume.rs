//! How large labels are in many cases, and which labels of a case are far from that.

use crate::volumetry::LabelSize;
use serde::{Deserialize, Serialize};

/// A volume further outside the cases' own range than by this factor is unusual: structures of one person are a half
/// or the double of another's, and a network errs.
const SLACK: f64 = 3.0;
/// Most labels outside by more than this factor, all on one side, speak of the size of a voxel and not of the network: heads whose
/// header had edges 0.8 and 1.2 times the true ones had 21 and 23 of 32 labels so, real ones of three contrasts and averages of many 11 at most.
const ONE_SIDED_SLACK: f64 = 1.2;

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

    /// Those that are larger than in any case, or those that are smaller, where that are more than half of all: with its own volume
    /// in millilitres each.
    pub fn one_sided(usual: &[Self], sizes: &[LabelSize]) -> Option<OneSided> {
        let of_side = |is_beyond: fn(&Self, f64) -> bool| {
            let found = usual.iter().filter_map(|usual| {
                let size = sizes.iter().find(|size| size.value == usual.value)?;
                is_beyond(usual, size.volume_ml).then_some((*usual, size.volume_ml))
            });
            let found: Vec<_> = found.collect();
            (2 * found.len() > usual.len()).then_some(found)
        };
        let larger = of_side(|usual, ml| ml > usual.max_ml * ONE_SIDED_SLACK);
        let smaller = || of_side(|usual, ml| ml < usual.min_ml / ONE_SIDED_SLACK);
        larger
            .map(OneSided::Larger)
            .or_else(|| smaller().map(OneSided::Smaller))
    }
}

/// Most labels of a case outside the usual volumes, on one side.
#[derive(Clone, Debug, PartialEq)]
pub enum OneSided {
    /// Larger than in any case.
    Larger(Vec<(UsualVolume, f64)>),
    /// Smaller than in any case.
    Smaller(Vec<(UsualVolume, f64)>),
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

    #[test]
    fn most_labels_beyond_on_one_side_are_one_sided() {
        let usual = UsualVolume::of_cases([sizes(&[(1, 10.0), (2, 20.0), (3, 30.0)])]);
        let of = |volumes: [f64; 3]| {
            let found = [(1, volumes[0]), (2, volumes[1]), (3, volumes[2])];
            UsualVolume::one_sided(&usual, &sizes(&found))
        };
        assert_eq!(of([11.9, 23.0, 99.0]), None);
        assert_eq!(of([12.1, 16.0, 30.0]), None);
        let larger = vec![(usual[0], 12.1), (usual[2], 37.0)];
        assert_eq!(of([12.1, 20.0, 37.0]), Some(OneSided::Larger(larger)));
        let smaller = vec![(usual[0], 8.0), (usual[1], 16.0)];
        assert_eq!(of([8.0, 16.0, 60.0]), Some(OneSided::Smaller(smaller)));
        assert_eq!(UsualVolume::one_sided(&[], &sizes(&[(1, 5.0)])), None);
    }
}
