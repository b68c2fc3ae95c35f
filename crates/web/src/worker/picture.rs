//! Small pictures, PNG as `data:` addresses.

use std::io::Cursor;
use std::ops::Range;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dinomed3d_volume::Affine;

/// Longest edge of a slice's picture in pixels, at least.
const SLICE_EDGE: usize = 160;
/// Drawn around a patch.
const FRAME: [u8; 3] = [92, 199, 242];
/// From nothing to all.
const HEAT: [[f32; 3]; 5] = [
    [0.0, 0.0, 4.0],
    [87.0, 16.0, 110.0],
    [188.0, 55.0, 84.0],
    [249.0, 142.0, 9.0],
    [252.0, 255.0, 164.0],
];

/// The address of a picture of bytes; none of one without a size.
pub fn address(bytes: &[u8], [rows, columns]: [usize; 2], color: png::ColorType) -> Option<String> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = png::Encoder::new(&mut file, columns as u32, rows as u32);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(bytes).ok()?;
    writer.finish().ok()?;
    let text = BASE64_STANDARD.encode(file.into_inner());
    Some(format!("data:image/png;base64,{text}"))
}

/// A slice of a window, to be drawn as a person expects it: superior or anterior at the top, right or anterior at the right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane {
    /// Rows and columns as they lie in memory.
    shape: [usize; 2],
    /// Whether columns go from top to bottom.
    is_transposed: bool,
    /// Of rows and of columns, whether they are drawn from the last to the first.
    is_reversed: [bool; 2],
}

impl Plane {
    /// Of a grid with this affine, from `(column, row, slice)`.
    pub fn of(shape: [usize; 2], affine: &Affine) -> Self {
        let orientation = affine.orientation();
        let is_transposed = orientation.world_axis(0) > orientation.world_axis(1);
        let towards_positive = [orientation.is_positive(1), orientation.is_positive(0)];
        let [rows, columns] = towards_positive;
        Self {
            shape,
            is_transposed,
            // What goes up is drawn from its last; what goes to the right from its first.
            is_reversed: if is_transposed {
                [!rows, columns]
            } else {
                [rows, !columns]
            },
        }
    }

    /// The address of a picture of a colour for each pixel, `[row, column]`, with a frame around those rows and columns.
    pub fn draw(&self, colours: &[[u8; 3]], frame: Option<[Range<usize>; 2]>) -> Option<String> {
        let [rows, columns] = self.shape;
        let times = SLICE_EDGE.div_ceil(rows.max(columns).max(1));
        let (down, across) = (rows * times, columns * times);
        let is_frame = |place: usize, range: &Range<usize>| {
            place == range.start * times || place + 1 == range.end * times
        };
        let is_in = |place: usize, range: &Range<usize>| range.contains(&(place / times));
        let pixel = |row: usize, column: usize| match &frame {
            Some([r, c])
                if is_in(row, r)
                    && is_in(column, c)
                    && (is_frame(row, r) || is_frame(column, c)) =>
            {
                FRAME
            }
            _ => colours[row / times * columns + column / times],
        };
        let turn = |place: usize, edge: usize, is_reversed: bool| {
            if is_reversed { edge - 1 - place } else { place }
        };
        let [rows_turned, columns_turned] = self.is_reversed;
        let at = |row: usize, column: usize| {
            pixel(
                turn(row, down, rows_turned),
                turn(column, across, columns_turned),
            )
        };
        let size = if self.is_transposed {
            [across, down]
        } else {
            [down, across]
        };
        let mut bytes = Vec::with_capacity(3 * down * across);
        for y in 0..size[0] {
            for x in 0..size[1] {
                let (row, column) = if self.is_transposed { (x, y) } else { (y, x) };
                bytes.extend(at(row, column));
            }
        }
        address(&bytes, size, png::ColorType::Rgb)
    }
}

/// The colour of a share of 1.
pub fn heat(share: f32) -> [u8; 3] {
    // What is no number is nothing.
    let share = if share > 0.0 { share.min(1.0) } else { 0.0 };
    let place = share * (HEAT.len() - 1) as f32;
    let below = (place as usize).min(HEAT.len() - 2);
    let between = place - below as f32;
    std::array::from_fn(|channel| {
        let (a, b) = (HEAT[below][channel], HEAT[below + 1][channel]);
        (a + between * (b - a)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(address: &str) -> (Vec<u8>, [u32; 2]) {
        let bytes = BASE64_STANDARD
            .decode(&address["data:image/png;base64,".len()..])
            .unwrap();
        let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (pixels, [info.height, info.width])
    }

    /// Rows to anterior and columns to superior: superior is up, anterior at the right.
    #[test]
    fn a_slice_is_drawn_upright() {
        let mut affine = Affine::from_spacing_mm([1.0; 3]);
        // Columns to superior, rows to anterior, slices to right.
        affine.0[0][..3].copy_from_slice(&[0.0, 0.0, 1.0]);
        affine.0[2][..3].copy_from_slice(&[1.0, 0.0, 0.0]);
        let plane = Plane::of([2, 2], &affine);
        let [inferior, superior, anterior] = [[1; 3], [2; 3], [3; 3]];
        let colours = [inferior, superior, anterior, [4; 3]];
        let (bytes, [down, across]) = pixels(&plane.draw(&colours, None).unwrap());
        assert_eq!([down, across], [160, 160]);
        let at = |row: usize, column: usize| bytes[3 * (row * 160 + column)];
        assert_eq!(
            [at(0, 0), at(159, 0), at(0, 159), at(159, 159)],
            [2, 1, 4, 3]
        );

        let frame = Some([0..1, 1..2]);
        let (bytes, _) = pixels(&plane.draw(&colours, frame).unwrap());
        assert_eq!(&bytes[..3], FRAME, "the patch at the top left has a frame");
        assert_eq!(bytes[3 * (40 * 160 + 40)], 2, "around what it shows");
        assert_eq!(bytes[3 * (40 * 160 + 120)], 4, "and nowhere else");
    }

    #[test]
    fn heat_goes_from_dark_to_bright() {
        assert_eq!(heat(-1.0), [0, 0, 4]);
        assert_eq!(heat(0.5), [188, 55, 84]);
        assert_eq!(heat(2.0), [252, 255, 164]);
        assert_eq!(heat(f32::NAN), [0, 0, 4]);
    }
}
