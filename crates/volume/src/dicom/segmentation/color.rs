//! A colour as DICOM recommends it: CIELab in 16 bits.
//!
//! DICOM says that of ICC's profile connection space; the programs that write and show segmentations (DCMTK, dcmqi, highdicom,
//! dcmjs) all take sRGB's own white, and so does this, so that colours come out as they went in.

const WHITE: [f64; 3] = [0.950_456, 1.0, 1.089_058];

/// Linear sRGB to XYZ. Source: IEC 61966-2-1.
const XYZ_FROM_RGB: [[f64; 3]; 3] = [
    [0.412_453, 0.357_580, 0.180_423],
    [0.212_671, 0.715_160, 0.072_169],
    [0.019_334, 0.119_193, 0.950_227],
];

const RGB_FROM_XYZ: [[f64; 3]; 3] = [
    [3.240_479, -1.537_150, -0.498_535],
    [-0.969_256, 1.875_992, 0.041_556],
    [0.055_648, -0.204_043, 1.057_311],
];

/// Where the cube root of CIELab becomes a straight line.
const KNEE: f64 = 6.0 / 29.0;

/// Lightness from 0 to 100 as 0 to 65535, a and b from −128 to 127 as the same.
pub(super) fn lab([red, green, blue]: [u8; 3]) -> [u16; 3] {
    let linear = [red, green, blue].map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    });
    let xyz = times(&XYZ_FROM_RGB, linear);
    let [x, y, z] = [0, 1, 2].map(|i| {
        let t: f64 = xyz[i] / WHITE[i];
        if t > KNEE.powi(3) {
            t.cbrt()
        } else {
            t / (3.0 * KNEE * KNEE) + 4.0 / 29.0
        }
    });
    let shares = [
        (116.0 * y - 16.0) / 100.0,
        (500.0 * (x - y) + 128.0) / 255.0,
        (200.0 * (y - z) + 128.0) / 255.0,
    ];
    shares.map(|share| (share.clamp(0.0, 1.0) * 65535.0).round() as u16)
}

/// The nearest colour that a screen has.
pub(super) fn rgb(lab: [u16; 3]) -> [u8; 3] {
    let [lightness, a, b] = lab.map(|n| f64::from(n) / 65535.0);
    let y = (100.0 * lightness + 16.0) / 116.0;
    let roots = [
        y + (255.0 * a - 128.0) / 500.0,
        y,
        y - (255.0 * b - 128.0) / 200.0,
    ];
    let xyz = [0, 1, 2].map(|i| {
        let t = roots[i];
        WHITE[i]
            * if t > KNEE {
                t.powi(3)
            } else {
                3.0 * KNEE * KNEE * (t - 4.0 / 29.0)
            }
    });
    times(&RGB_FROM_XYZ, xyz).map(|part| {
        let part = if part <= 0.003_130_8 {
            12.92 * part
        } else {
            1.055 * part.powf(1.0 / 2.4) - 0.055
        };
        (part.clamp(0.0, 1.0) * 255.0).round() as u8
    })
}

fn times(m: &[[f64; 3]; 3], v: [f64; 3]) -> [f64; 3] {
    m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Black and white by definition; red is 53.24, 80.09, 67.20 in any table of sRGB under D65.
    #[test]
    fn colours_are_those_of_srgb_under_its_own_white() {
        assert_eq!(lab([0, 0, 0]), [0, 32896, 32896]);
        let near = |found: [u16; 3], expected: [f64; 3]| {
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(
                    (f64::from(found) - expected).abs() < 40.0,
                    "{found} {expected}"
                );
            }
        };
        near(lab([255, 255, 255]), [65535.0, 32896.0, 32896.0]);
        let of = |v: f64| (v + 128.0) / 255.0 * 65535.0;
        near(lab([255, 0, 0]), [0.5324 * 65535.0, of(80.09), of(67.20)]);
    }

    #[test]
    fn every_colour_comes_back() {
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(17) {
                for blue in (0..=255).step_by(51) {
                    let color = [red, green, blue];
                    assert_eq!(rgb(lab(color)), color);
                }
            }
        }
    }
}
