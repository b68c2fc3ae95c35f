//! Where a header says that voxels lie.

use super::header::{Header, Kind, UNITS_MM, field};
use crate::Affine;

/// The bits of xyzt_units that are for lengths.
const SPACE_UNITS: i64 = 7;
/// NIFTI_UNITS_METER.
const UNITS_METRE: i64 = 1;
/// NIFTI_UNITS_MICRON.
const UNITS_MICRON: i64 = 3;

/// qform and sform may be so far apart at a corner of the grid.
const TOLERANCE_MM: f64 = 1.0;

/// Said of a file without qform and sform.
const NO_PLACE: &str =
    "This file does not say how it lies in space; its axes are taken as they come.";

impl Header {
    /// In mm, whatever the header's unit: the sform if its code is positive, else the qform if its code is, else spacing
    /// alone, centred and with x towards the left (as nibabel does); and the name of the one that it is.
    pub(super) fn affine_and_source(&self) -> (Affine, &'static str) {
        if self.sform_code() > 0 {
            (self.sform(), "sform")
        } else if self.qform_code() > 0 {
            (self.qform(), "qform")
        } else {
            let edges: [f64; 3] = self.reals(field::DIM, 1);
            let num_axes = self.whole(field::DIM, 0) as usize;
            let center = [0, 1, 2].map(|axis| {
                let edge = if axis < num_axes { edges[axis] } else { 1.0 };
                (edge - 1.0) / 2.0
            });
            (self.upright(center), "pixdim")
        }
    }

    /// Of a grid of `shape` (x, y, z, …), what a person should know of its place.
    pub(super) fn place_warnings(&self, shape: &[usize]) -> Vec<String> {
        let mut warnings = Vec::new();
        let unit = self.space_unit();
        if unit > UNITS_MICRON {
            warnings.push(format!(
                "This file's unit of length has the unknown code {unit}; millimetres are taken."
            ));
        }
        match (self.qform_code() > 0, self.sform_code() > 0) {
            (false, false) => warnings.push(NO_PLACE.to_owned()),
            (true, true) => {
                let edge = |axis: usize| shape.get(axis).copied().unwrap_or(1);
                let shape = [edge(2), edge(1), edge(0)];
                let apart_mm = self.sform().corners_apart_mm(&self.qform(), shape);
                if apart_mm > TOLERANCE_MM {
                    warnings.push(format!(
                        "This file says twice how it lies in space, and its qform and sform are up to {apart_mm:.1} mm apart; the sform is taken."
                    ));
                } else if apart_mm.is_nan() {
                    warnings.push(
                        "Of this file's qform and sform one is no finite number; the sform is taken."
                            .to_owned(),
                    );
                }
            }
            _ => {}
        }
        warnings
    }

    /// pixdim of x, y, z in mm, otherwise as it stands.
    pub(super) fn pixdim_mm(&self) -> [f64; 3] {
        self.in_mm(self.reals(field::PIXDIM, 1))
    }

    /// Spacing alone, x towards the left, with voxel `center` at the world's origin.
    pub(super) fn upright(&self, center: [f64; 3]) -> Affine {
        let [x, y, z] = self.edges_mm();
        let mut affine = Affine::from_spacing_mm([-x, y, z]);
        for (axis, voxel) in center.into_iter().enumerate() {
            affine.0[axis][3] = -voxel * affine.0[axis][axis];
        }
        affine
    }

    /// Says that a grid of `shape` (x, y, z, …) lies at `affine`: by the sform, and by the qform where that comes within a
    /// tenth of a voxel of it at the grid's corners: it does for rotated boxes but no sheared ones, and of rotations not for
    /// those that are a half turn but for less than 32 bits can say.
    pub(super) fn put_place(&mut self, shape: &[usize], affine: &Affine, code: i16) {
        for (row, values) in affine.0[..3].iter().enumerate() {
            self.put_reals(field::SROW, 4 * row, values);
        }
        self.put_whole(field::SFORM_CODE, 0, i64::from(code));

        let spacing_mm = affine.spacing_mm();
        let unit = [0, 1, 2].map(|r| [0, 1, 2].map(|c| affine.0[r][c] / spacing_mm[c]));
        let qfac = determinant(&unit).signum();
        let rotation = unit.map(|[x, y, z]| [x, y, z * qfac]);
        let [x, y, z] = spacing_mm;
        self.put_reals(field::PIXDIM, 0, &[qfac, x, y, z, 1.0, 1.0, 1.0, 1.0]);
        let before = self.clone();
        self.put_reals(field::QUATERN, 0, &quaternion(&rotation));
        self.put_reals(field::QOFFSET, 0, &[0, 1, 2].map(|row| affine.0[row][3]));
        self.put_whole(field::QFORM_CODE, 0, i64::from(code));
        let edge = |axis: usize| shape.get(axis).copied().unwrap_or(1);
        let shape = [edge(2), edge(1), edge(0)];
        let apart_mm = self.qform().corners_apart_mm(affine, shape);
        // Not a number is not near.
        if apart_mm.is_nan() || apart_mm > 10.0 * affine.tolerance_mm() {
            *self = before;
            self.put_real(field::PIXDIM, 0, 1.0);
        }
    }

    fn space_unit(&self) -> i64 {
        match self.kind {
            // NIfTI's units are part of a number there.
            Kind::Analyze => UNITS_MM,
            _ => self.whole(field::XYZT_UNITS, 0) & SPACE_UNITS,
        }
    }

    /// A unit that is not said, or unknown, is mm, as for all readers.
    fn in_mm<const N: usize>(&self, lengths: [f64; N]) -> [f64; N] {
        let unit = self.space_unit();
        lengths.map(|length| match unit {
            UNITS_METRE => length * 1000.0,
            UNITS_MICRON => length / 1000.0,
            _ => length,
        })
    }

    /// Edges of a voxel from pixdim; a sign is dropped and 0 becomes 1, as nibabel mends them.
    fn edges_mm(&self) -> [f64; 3] {
        self.pixdim_mm().map(|edge| match edge.abs() {
            0.0 => 1.0,
            edge => edge,
        })
    }

    fn sform(&self) -> Affine {
        let row = |r: usize| self.in_mm(self.reals(field::SROW, 4 * r));
        Affine([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]])
    }

    /// Source: nifti1.h, method 2. A quaternion longer than 1 is shortened to 1.
    fn qform(&self) -> Affine {
        let [mut b, mut c, mut d] = self.reals(field::QUATERN, 0);
        let rest = 1.0 - (b * b + c * c + d * d);
        let rounding = if self.is_nifti_2() {
            f64::EPSILON
        } else {
            f64::from(f32::EPSILON)
        };
        let a = if rest > 3.0 * rounding {
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
        let qfac = if self.real(field::PIXDIM, 0) == -1.0 {
            -1.0
        } else {
            1.0
        };
        let edges = [x, y, z * qfac];
        let offset: [f64; 3] = self.in_mm(self.reals(field::QOFFSET, 0));
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
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    let minor = |a: usize, b: usize| m[1][a] * m[2][b] - m[1][b] * m[2][a];
    m[0][0] * minor(1, 2) - m[0][1] * minor(0, 2) + m[0][2] * minor(0, 1)
}

/// Parts b, c, d of the quaternion of a rotation whose part a is not negative.
///
/// The largest part is found first and the others divided by it, so that no small number is.
fn quaternion(r: &[[f64; 3]; 3]) -> [f64; 3] {
    let (ab, ac, ad) = (r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]);
    let (bc, bd, cd) = (r[0][1] + r[1][0], r[0][2] + r[2][0], r[1][2] + r[2][1]);
    let [x, y, z] = [r[0][0], r[1][1], r[2][2]];
    // Four times the square of each part, and that times the parts a, b, c, d.
    let candidates = [
        (1.0 + x + y + z, [1.0 + x + y + z, ab, ac, ad]),
        (1.0 + x - y - z, [ab, 1.0 + x - y - z, bc, bd]),
        (1.0 - x + y - z, [ac, bc, 1.0 - x + y - z, cd]),
        (1.0 - x - y + z, [ad, bd, cd, 1.0 - x - y + z]),
    ];
    let (largest, parts) = candidates
        .into_iter()
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .expect("four candidates");
    let scale = parts[0].signum() * 0.5 / largest.sqrt();
    [parts[1] * scale, parts[2] * scale, parts[3] * scale]
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Made;
    use super::*;
    use crate::Scan;
    use crate::random::SplitMix64;

    fn open(made: &Made) -> Scan {
        Scan::open(&made.single(), None).unwrap()
    }

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
            for (version, sform) in [(1, false), (1, true), (2, false), (2, true)] {
                let mut made = Made::new(version, false);
                made.set("xyzt_units", &[f64::from(units)]);
                if sform {
                    let rows = [2.0, 0.0, 0.0, -7.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 4.0, 0.0];
                    made.set("sform_code", &[1.0]).set("srow", &rows);
                }
                let scan = open(&made);
                let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-12;
                for (axis, edge) in [2.0, 3.0, 4.0].into_iter().enumerate() {
                    assert!(near(scan.affine().spacing_mm()[axis], edge * mm), "{units}");
                    assert!(near(scan.stated_spacing_mm()[axis], edge * mm), "{units}");
                }
                assert!(near(scan.affine().0[0][3], -7.0 * mm), "{units}");
                let volume_ml = 0.024 * mm.powi(3);
                assert!(near(scan.affine().voxel_volume_ml(), volume_ml), "{units}");
                let is_warned = scan.warnings().iter().any(|said| said.contains("code 5"));
                assert_eq!(is_warned, units == 5, "{:?}", scan.warnings());
                // The label map says the same in the scan's own unit.
                let labels = scan.encode_label_map(&[1; 12], "").unwrap();
                assert_eq!(labels[[123, 500][version - 1]], units);
                assert_eq!(Scan::open(&labels, None).unwrap().affine(), scan.affine());
            }
        }
        let mut made = Made::new(1, false);
        made.set("qform_code", &[0.0]).set("xyzt_units", &[1.0]);
        let affine = open(&made).affine();
        assert_eq!(
            affine.0[0],
            [-2000.0, 0.0, 0.0, 2000.0],
            "from pixdim alone"
        );
    }

    /// By hand: the fixture's qform has x, y and z of 2, 3 and -4 mm per voxel and the last voxel at (2, 1, 1).
    #[test]
    fn two_places_that_disagree_and_none_at_all_are_said() {
        for version in [1, 2] {
            let mut made = Made::new(version, false);
            let rows = |x: f64| [x, 0.0, 0.0, -7.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, -4.0, 0.0];
            made.set("sform_code", &[1.0]);
            for (x, words) in [
                (2.0, None),
                (2.45, None),
                (2.55, Some("up to 1.1 mm apart; the sform is taken")),
                (-2.0, Some("up to 8.0 mm apart; the sform is taken")),
            ] {
                made.set("srow", &rows(x));
                let scan = open(&made);
                assert!((scan.affine().0[0][0] - x).abs() < 1e-6);
                let said = scan.warnings().first();
                assert_eq!(said.is_some(), words.is_some(), "{x}: {said:?}");
                assert!(
                    said.is_none_or(|said| said.contains(words.unwrap())),
                    "{said:?}"
                );
            }
            made.set("srow", &rows(2.0)).set("qoffset", &[f64::NAN]);
            assert!(open(&made).warnings()[0].contains("no finite number"));
            made.set("sform_code", &[0.0]).set("qform_code", &[0.0]);
            assert_eq!(open(&made).warnings(), [NO_PLACE]);
        }
    }

    /// Of random boxes, turned and mirrored, both forms say one place; of a sheared one only the sform does.
    #[test]
    fn a_place_is_said_by_both_forms_where_both_can() {
        let mut random = SplitMix64::new(3);
        let mut number = |low: f64, high: f64| low + (high - low) * random.next_f64();
        let shape = [200, 180, 160];
        let mut far_mm = Vec::new();
        for round in 0..300 {
            let mut q = [0; 4].map(|_| number(-1.0, 1.0));
            if round < 8 {
                // Half turns and none.
                q = [0, 1, 2, 3].map(|part| if part == round / 2 { 1.0 } else { 0.0 });
            }
            let length = q.iter().map(|part| part * part).sum::<f64>().sqrt();
            let [a, b, c, d] = q.map(|part| part / length);
            let rotation = [
                [
                    1.0 - 2.0 * (c * c + d * d),
                    2.0 * (b * c - a * d),
                    2.0 * (b * d + a * c),
                ],
                [
                    2.0 * (b * c + a * d),
                    1.0 - 2.0 * (b * b + d * d),
                    2.0 * (c * d - a * b),
                ],
                [
                    2.0 * (b * d - a * c),
                    2.0 * (c * d + a * b),
                    1.0 - 2.0 * (b * b + c * c),
                ],
            ];
            let mirror = if round % 2 == 0 { 1.0 } else { -1.0 };
            let edges = [
                number(0.4, 3.0),
                number(0.4, 3.0),
                mirror * number(0.4, 3.0),
            ];
            let mut affine = Affine::from_spacing_mm([1.0; 3]);
            for (row, turned) in affine.0.iter_mut().zip(rotation) {
                let [x, y, z] = [0, 1, 2].map(|axis| turned[axis] * edges[axis]);
                *row = [x, y, z, number(-200.0, 200.0)];
            }
            let header = Header::new(&shape, &affine, 1);
            let [x, y, z] = shape;
            let apart_mm = |place: Affine| place.corners_apart_mm(&affine, [z, y, x]);
            assert!(apart_mm(header.sform()) < 1e-4, "{affine:?}");
            assert_eq!(header.sform_code(), 1);
            if header.qform_code() == 1 {
                far_mm.push(apart_mm(header.qform()));
            }
            affine.0[0][1] += 0.1;
            let sheared = Header::new(&shape, &affine, 1);
            assert_eq!((sheared.qform_code(), sheared.sform_code()), (0, 1));
        }
        far_mm.sort_by(f64::total_cmp);
        // Closer to a half turn than 32 bits can say, one in some hundred has no qform.
        assert!(far_mm.len() > 295 && far_mm[290] < 4e-3, "{far_mm:?}");
        assert!(far_mm.last().unwrap() < &0.3, "{far_mm:?}");
    }
}
