//! Where a header says that voxels lie.

use super::header::{Header, field};
use crate::Affine;

impl Header {
    /// The sform if its code is positive, else the qform if its code is, else spacing alone, centred and with x
    /// towards the left (as nibabel does); and the name of the one that it is.
    pub fn affine_and_source(&self) -> (Affine, &'static str) {
        if self.sform_code() > 0 {
            let row = |r: usize| self.floats(field::SROW + 16 * r).map(f64::from);
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

    /// pixdim of x, y, z as it stands.
    pub fn pixdim(&self) -> [f64; 3] {
        self.floats(field::PIXDIM + 4).map(f64::from)
    }

    /// Edges of a voxel from pixdim; a sign is dropped and 0 becomes 1, as nibabel mends them.
    fn pixdim_mm(&self) -> [f64; 3] {
        self.pixdim().map(|edge| match edge.abs() {
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
        let [x, y, z] = self.pixdim_mm();
        let qfac = if self.float(field::PIXDIM) == -1.0 {
            -1.0
        } else {
            1.0
        };
        let edges = [x, y, z * qfac];
        let offset: [f64; 3] = self.floats(field::QOFFSET).map(f64::from);
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
        let [x, y, z] = self.pixdim_mm();
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
