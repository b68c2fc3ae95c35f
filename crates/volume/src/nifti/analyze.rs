//! ANALYZE 7.5: the header that NIfTI-1 grew out of, which says no orientation. SPM's additions are read, as nibabel reads
//! them: scale, offset and the voxel at the origin.

use super::header::{Field, Header, Number, field};
use crate::Affine;

const GLMAX: Field = Field::of_analyze(140, Number::Int);
const GLMIN: Field = Field::of_analyze(144, Number::Int);
const ORIENT: Field = Field::of_analyze(252, Number::Byte);
/// SPM's, counted from 1.
const ORIGIN: Field = Field::of_analyze(253, Number::Short);

impl Header {
    /// Spacing alone, x towards the left; SPM's voxel at the origin, or the centre where there is none that can be.
    pub(super) fn analyze_affine(&self, shape: &[usize]) -> Affine {
        let edges: [f64; 3] = [0, 1, 2].map(|i| shape.get(i).copied().unwrap_or(1) as f64);
        let origin: [f64; 3] = self.reals(ORIGIN, 0);
        let is_said = origin.iter().any(|&voxel| voxel != 0.0)
            && origin
                .iter()
                .zip(edges)
                .all(|(&voxel, edge)| voxel > -edge && voxel < 2.0 * edge);
        self.upright([0, 1, 2].map(|axis| {
            if is_said {
                origin[axis] - 1.0
            } else {
                (edges[axis] - 1.0) / 2.0
            }
        }))
    }

    /// Slope and offset where NIfTI has them too, otherwise from the ranges of stored and of calibrated values.
    pub(super) fn analyze_scaling(&self) -> Option<(f64, f64)> {
        let slope = self.real(field::SCL_SLOPE, 0);
        if slope != 0.0 && slope.is_finite() {
            let inter = self.real(field::SCL_INTER, 0);
            return Some((slope, if inter.is_finite() { inter } else { 0.0 }));
        }
        let (lowest, highest) = (self.real(field::CAL_MIN, 0), self.real(field::CAL_MAX, 0));
        let (stored_lowest, stored_highest) = (self.real(GLMIN, 0), self.real(GLMAX, 0));
        let slope = (highest - lowest) / (stored_highest - stored_lowest);
        let inter = lowest - slope * stored_lowest;
        (slope != 0.0 && slope.is_finite() && inter.is_finite()).then_some((slope, inter))
    }

    pub(super) fn analyze_warning(&self) -> String {
        let mut warning = "ANALYZE 7.5 does not say how a scan lies in space: x is taken to run to the left, y to the front, z to the top.".to_owned();
        let orient = self.whole(ORIENT, 0);
        if orient != 0 {
            warning += &format!(
                " Its orient byte, which programs understand differently, is {orient} and not followed."
            );
        }
        warning
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Made;
    use crate::{Format, Scan};

    /// By hand from the fixture's 3 × 2 × 2 voxels of 2 × 3 × 4 mm.
    #[test]
    fn an_analyze_pair_is_upright_with_a_warning() {
        for big_endian in [false, true] {
            let made = Made::new(1, big_endian);
            let open = |change: &dyn Fn(&mut Vec<u8>)| {
                let (mut header, voxels) = made.pair();
                header[344..348].fill(0);
                // What NIfTI put there means nothing.
                header[123] = 1;
                header[252..256].fill(0);
                change(&mut header);
                Scan::open(&header, Some(&voxels)).unwrap()
            };
            let shorts = |values: [i16; 3]| -> Vec<u8> {
                values
                    .iter()
                    .flat_map(|value| {
                        if big_endian {
                            value.to_be_bytes()
                        } else {
                            value.to_le_bytes()
                        }
                    })
                    .collect()
            };
            let scan = open(&|_| {});
            assert_eq!(scan.format(), Format::Analyze);
            assert_eq!(scan.affine().0[0], [-2.0, 0.0, 0.0, 2.0]);
            assert_eq!(scan.affine().0[2], [0.0, 0.0, 4.0, -2.0]);
            assert!(scan.values().eq((0..12).map(f64::from)));
            assert_eq!(scan.warnings().len(), 1);
            assert!(scan.warnings()[0].contains("does not say how"));

            let at_origin = open(&|header| header[253..259].copy_from_slice(&shorts([1, 2, 2])));
            assert_eq!(at_origin.affine().apply([0.0, 1.0, 1.0]), [0.0; 3]);
            let nowhere = open(&|header| header[253..259].copy_from_slice(&shorts([1, 2, 99])));
            assert_eq!(nowhere.affine(), scan.affine());
            let turned = open(&|header| header[252] = 2);
            assert!(
                turned.warnings()[0].contains("orient byte"),
                "{:?}",
                turned.warnings()
            );

            // Its label map and the scan itself become NIfTI at the same place.
            let labels = at_origin.encode_label_map(&[3; 12], "").unwrap();
            for file in [labels, at_origin.encode().unwrap()] {
                let back = Scan::open(&file, None).unwrap();
                assert_eq!((back.format(), back.form_codes()), (Format::Nifti1, (2, 2)));
                assert_eq!(back.affine(), at_origin.affine());
            }
        }
    }

    /// By hand: calibrated 10 to 30 for stored 0 to 10 is 2 a step; SPM's own scale comes first.
    #[test]
    fn an_analyze_pair_has_its_scale_from_spm_or_from_ranges() {
        let mut made = Made::new(1, false);
        let third = |made: &Made| {
            let (mut header, voxels) = made.pair();
            header[140..144].copy_from_slice(&10i32.to_le_bytes());
            header[344..348].fill(0);
            Scan::open(&header, Some(&voxels)).unwrap().values().nth(3)
        };
        assert_eq!(third(&made), Some(3.0));
        made.set("cal_max", &[30.0]).set("cal_min", &[10.0]);
        assert_eq!(third(&made), Some(16.0));
        made.set("scl_slope", &[0.5]).set("scl_inter", &[f64::NAN]);
        assert_eq!(third(&made), Some(1.5));
    }
}
