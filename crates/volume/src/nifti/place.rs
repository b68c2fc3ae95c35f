//! Where a header says that voxels lie.

use super::header::{Header, SPACE_UNITS, UNITS_METRE, UNITS_MICRON, field};
use crate::Affine;

impl Header {
    /// In mm, whatever the header's unit: the sform if its code is positive, else the qform if its code is, else spacing alone, centred and with x
    /// towards the left (as nibabel does); and the name of the one that it is.
    pub fn affine_and_source(&self) -> (Affine, &'static str) {
        if self.sform_code() > 0 {
            let row = |r: usize| self.lengths_mm(field::SROW + 16 * r);
            let affine = Affine([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]]);
            (affine, "sform")
        } else if self.qform_code() > 0 {
            (self.qform(), "qform")
        } else {
            (self.base_affine(), "pixdim")
        }
    }

    pub fn qform_code(&self) -> i16 {
        self.short(field::QFORM_CODE)
    }

    pub fn sform_code(&self) -> i16 {
        self.short(field::SFORM_CODE)
    }

    /// pixdim of x, y, z in mm, otherwise as it stands.
    pub fn pixdim_mm(&self) -> [f64; 3] {
        self.lengths_mm(field::PIXDIM + 4)
    }

    /// So many lengths in a row, in mm. A unit that is not said, or unknown, is mm, as for all readers.
    fn lengths_mm<const N: usize>(&self, at: usize) -> [f64; N] {
        let unit = self.bytes[field::XYZT_UNITS] & SPACE_UNITS;
        self.floats(at).map(|length| match unit {
            UNITS_METRE => f64::from(length) * 1000.0,
            UNITS_MICRON => f64::from(length) / 1000.0,
            _ => f64::from(length),
        })
    }

    /// Edges of a voxel from pixdim; a sign is dropped and 0 becomes 1, as nibabel mends them.
    fn edges_mm(&self) -> [f64; 3] {
        self.pixdim_mm().map(|edge| match edge.abs() {
            0.0 => 1.0,
            edge => edge,
        })
    }

    /// Source: nifti1.h, method 2. A quaternion longer than 1 is shortened to 1.
    fn qform(&self) -> Affine {
        let [mut b, mut c, mut d] = self.floats(field::QUATERN).map(f64::from);
        let rest = 1.0 - (b * b + c * c + d * d);
        let a = if rest > 3.0 * f64::from(f32::EPSILON) {
            rest.sqrt()
        } else {
            let length = (b * b + c * c + d * d).sqrt();
            (b, c, d) = (b / length, c / length, d / length);
            0.0
        };
        let rotation = [
            [
                a * a + b * b - c * c - d * d,
                2.0 * (b * c - a * d),
                2.0 * (b * d + a * c),
            ],
            [
                2.0 * (b * c + a * d),
                a * a + c * c - b * b - d * d,
                2.0 * (c * d - a * b),
            ],
            [
                2.0 * (b * d - a * c),
                2.0 * (c * d + a * b),
                a * a + d * d - b * b - c * c,
            ],
        ];
        let [x, y, z] = self.edges_mm();
        let qfac = if self.float(field::PIXDIM) == -1.0 {
            -1.0
        } else {
            1.0
        };
        let edges = [x, y, z * qfac];
        let offset: [f64; 3] = self.lengths_mm(field::QOFFSET);
        let row = |r: usize| {
            [
                rotation[r][0] * edges[0],
                rotation[r][1] * edges[1],
                rotation[r][2] * edges[2],
                offset[r],
            ]
        };
        Affine([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]])
    }

    fn base_affine(&self) -> Affine {
        let [x, y, z] = self.edges_mm();
        let mut affine = Affine::from_spacing_mm([-x, y, z]);
        let num_axes = self.short(field::DIM) as usize;
        for axis in 0..3 {
            let edge = if axis < num_axes {
                self.short(field::DIM + 2 * (axis + 1))
            } else {
                1
            };
            affine.0[axis][3] = -(f64::from(edge) - 1.0) / 2.0 * affine.0[axis][axis];
        }
        affine
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::file;
    use super::*;
    use crate::NiftiImage;

    /// By hand: the fixture has edges of 2, 3 and 4 of its unit and lies at -7 of it.
    #[test]
    fn lengths_are_in_mm_whatever_the_header_s_unit() {
        // With the time's unit beside it: seconds, milliseconds, …
        for (units, mm) in [
            (0, 1.0),
            (2, 1.0),
            (10, 1.0),
            (5, 1.0),
            (9, 1e3),
            (1, 1e3),
            (19, 1e-3),
        ] {
            for sform in [false, true] {
                let mut bytes = file(false);
                bytes[field::XYZT_UNITS] = units;
                if sform {
                    bytes[field::SFORM_CODE] = 1;
                    for (at, value) in [(0, 2.0f32), (3, -7.0), (5, 3.0), (10, 4.0)] {
                        bytes[field::SROW + 4 * at..][..4].copy_from_slice(&value.to_le_bytes());
                    }
                }
                let image = NiftiImage::parse(&bytes).unwrap();
                let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-12;
                for (axis, edge) in [2.0, 3.0, 4.0].into_iter().enumerate() {
                    assert!(
                        near(image.affine().spacing_mm()[axis], edge * mm),
                        "{units}"
                    );
                    assert!(near(image.stated_spacing_mm()[axis], edge * mm), "{units}");
                }
                assert!(near(image.affine().0[0][3], -7.0 * mm), "{units}");
                assert!(
                    near(image.affine().voxel_volume_ml(), 0.024 * mm.powi(3)),
                    "{units}"
                );
                // The label map says the same in the scan's own unit.
                let labels = image.encode_label_map(&[1; 12], "").unwrap();
                assert_eq!(labels[field::XYZT_UNITS], units);
                assert_eq!(NiftiImage::parse(&labels).unwrap().affine(), image.affine());
            }
        }
        let mut bytes = file(false);
        bytes[field::QFORM_CODE] = 0;
        bytes[field::XYZT_UNITS] = UNITS_METRE;
        let affine = NiftiImage::parse(&bytes).unwrap().affine();
        assert_eq!(
            affine.0[0],
            [-2000.0, 0.0, 0.0, 2000.0],
            "from pixdim alone"
        );
    }
}
