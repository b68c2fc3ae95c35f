//! Probabilities of labels as one file of four dimensions, written while slices come in, so that memory stays a slab.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::header::field;
use crate::mid_plane::place_of;
use crate::{Affine, Datatype, GridError, MidPlane, ModelGrid, Scan, ScanError};

/// How much of a file is gathered before it is written: where slices lie across the file's rows, each comes in as many
/// pieces as it has rows.
const SLAB_BYTES: usize = 32 << 20;

/// How fine probabilities are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 255 steps.
    Bits8,
    /// 65535 steps.
    Bits16,
}

impl Depth {
    fn datatype(self) -> Datatype {
        match self {
            Self::Bits8 => Datatype::Uint8,
            Self::Bits16 => Datatype::Uint16,
        }
    }

    fn steps(self) -> f64 {
        match self {
            Self::Bits8 => 255.0,
            Self::Bits16 => 65535.0,
        }
    }
}

/// Why probabilities can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbabilityError {
    /// The place they are written to failed.
    #[error("writing probabilities: {0}")]
    Write(#[from] io::Error),
    /// Of the grid that they come on.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// Of the file's header.
    #[error(transparent)]
    Scan(#[from] ScanError),
}

/// Writes the probability of each label at each voxel of a scan: an uncompressed `.nii` file with the scan's own header and
/// geometry, whose fourth axis is the labels; unsigned whole numbers, scaled by 1/255 or 1/65535.
///
/// They are the network's own: no postprocessing has changed them. What is missing to 1 is background.
#[derive(Debug)]
pub struct ProbabilityWriter<'a, W> {
    file: W,
    grid: &'a ModelGrid,
    affine: Affine,
    /// z, y, x.
    shape: [usize; 3],
    /// Value of each label, a volume each.
    labels: Vec<u8>,
    /// Of each class the volume, none of the background.
    volume_of: Vec<Option<usize>>,
    depth: Depth,
    is_big_endian: bool,
    first_voxel: u64,
    /// Logits of the slice that comes in, `[class, row, column]`.
    logits: Vec<f32>,
    slab: Slab,
    /// Slices that have come.
    received: usize,
}

/// Slices that are gathered, in the file's order: of each volume what lies before the axis of the slices, that axis, what
/// lies within it.
#[derive(Debug, Default)]
struct Slab {
    bytes: Vec<u8>,
    /// Most slices.
    most: usize,
    /// First place along the axis of the slices, and how many.
    first: usize,
    count: usize,
    /// How many of them have come.
    received: usize,
}

impl<'a, W: Read + Write + Seek> ProbabilityWriter<'a, W> {
    /// Begins a file of `scan`, whose grid `grid` is, at the beginning of `file`.
    ///
    /// `labels` are the values of the labels, a volume each in this order; `classes` that of each class of the network,
    /// 0 for background.
    ///
    /// # Errors
    /// [`ProbabilityError`].
    ///
    /// # Panics
    /// For a grid of another scan, or no label.
    pub fn new(
        scan: &Scan,
        grid: &'a ModelGrid,
        labels: &[u8],
        classes: &[u8],
        depth: Depth,
        description: &str,
        mut file: W,
    ) -> Result<Self, ProbabilityError> {
        let shape = scan.grid_shape();
        assert_eq!(
            shape.iter().product::<usize>(),
            grid.file_voxels(),
            "voxels of grid and scan"
        );
        assert!(!labels.is_empty(), "no label");
        let mut header = scan.header.clone();
        header.put_volumes(shape, labels.len());
        header.put_storage(depth.datatype(), Some((1.0 / depth.steps(), 0.0)));
        header.put_real(field::CAL_MAX, 0, 1.0);
        header.put_real(field::CAL_MIN, 0, 0.0);
        header.put_description(description);
        let head = header.begin_file(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&head)?;
        let slice_bytes = labels.len() * depth.datatype().bytes() * grid.plane();
        Ok(Self {
            file,
            affine: scan.affine(),
            shape,
            labels: labels.to_vec(),
            volume_of: classes
                .iter()
                .map(|class| labels.iter().position(|label| label == class))
                .collect(),
            depth,
            is_big_endian: header.is_big_endian(),
            first_voxel: head.len() as u64,
            logits: vec![0.0; classes.len() * grid.plane()],
            slab: Slab {
                most: (SLAB_BYTES / slice_bytes).clamp(1, grid.oriented[0]),
                ..Slab::default()
            },
            received: 0,
            grid,
        })
    }

    /// Takes the logits of one class in the next slice of the scan, as [`Labelling::add_with`] gives them, classes in order;
    /// after the last class the slice's probabilities are known.
    ///
    /// # Errors
    /// [`ProbabilityError::Write`], [`ProbabilityError::Grid`] for a slice that is not the next or has another size.
    ///
    /// [`Labelling::add_with`]: crate::Labelling::add_with
    pub fn add(
        &mut self,
        slice: usize,
        class: usize,
        logits: &[f32],
    ) -> Result<(), ProbabilityError> {
        let plane = self.grid.plane();
        if slice != self.received || slice == self.grid.oriented[0] || logits.len() != plane {
            return Err(self.wrong_count(logits.len()).into());
        }
        self.logits[class * plane..][..plane].copy_from_slice(logits);
        if class + 1 < self.volume_of.len() {
            return Ok(());
        }
        softmax(&mut self.logits, plane);
        self.gather(slice);
        self.received += 1;
        if self.slab.received == self.slab.count {
            self.write_slab()?;
        }
        Ok(())
    }

    /// Ends the file and gives it back. A structure of which the network does not say the side is parted by `sides`, a plane
    /// and pairs of left and right values as for [`MidPlane::part`]: of its probability the right value has what lies on the
    /// right, and the left value what does not.
    ///
    /// # Errors
    /// [`ProbabilityError::Write`], [`ProbabilityError::Grid`] if slices are still to come.
    pub fn finish(mut self, sides: Option<(&MidPlane, &[[u8; 2]])>) -> Result<W, ProbabilityError> {
        if self.received < self.grid.oriented[0] {
            return Err(self.wrong_count(0).into());
        }
        if let Some((plane, pairs)) = sides {
            for pair in pairs {
                let volume = |value| self.labels.iter().position(|label| *label == value);
                if let [Some(left), Some(right)] = pair.map(volume) {
                    self.part(plane, left, right)?;
                }
            }
        }
        self.file.flush()?;
        Ok(self.file)
    }

    /// A slice of the file at a time.
    fn part(&mut self, plane: &MidPlane, left: usize, right: usize) -> io::Result<()> {
        let [slices, rows, columns] = self.shape;
        let size = self.depth.datatype().bytes();
        let mut of_left = vec![0; rows * columns * size];
        for z in 0..slices {
            let first = z * rows * columns;
            self.seek(left, first)?;
            self.file.read_exact(&mut of_left)?;
            let mut of_right = vec![0; of_left.len()];
            let voxels = of_left
                .chunks_exact_mut(size)
                .zip(of_right.chunks_exact_mut(size));
            for (i, (left, right)) in voxels.enumerate() {
                let place = place_of(&self.affine, first + i, rows, columns);
                if plane.to_the_right_mm(place) > 0.0 {
                    right.swap_with_slice(left);
                }
            }
            self.seek(left, first)?;
            self.file.write_all(&of_left)?;
            self.seek(right, first)?;
            self.file.write_all(&of_right)?;
        }
        Ok(())
    }

    fn seek(&mut self, volume: usize, voxel: usize) -> io::Result<()> {
        let voxel = volume as u64 * self.grid.file_voxels() as u64 + voxel as u64;
        let at = self.first_voxel + voxel * self.depth.datatype().bytes() as u64;
        self.file.seek(SeekFrom::Start(at)).map(drop)
    }

    /// Puts the slice whose probabilities are known into the slab.
    fn gather(&mut self, slice: usize) {
        let (edge, inner) = (self.grid.oriented[0], self.inner());
        let is_turned = self.grid.steps[0] < 0;
        let size = self.depth.datatype().bytes();
        let plane = self.grid.plane();
        let slab = &mut self.slab;
        if slab.received == slab.count {
            slab.count = slab.most.min(edge - slice);
            slab.first = if is_turned {
                edge - slice - slab.count
            } else {
                slice
            };
            slab.received = 0;
            slab.bytes
                .resize(self.labels.len() * plane * slab.count * size, 0);
        }
        let place = if is_turned { edge - 1 - slice } else { slice } - slab.first;
        slab.received += 1;
        let [_, rows, columns] = self.grid.oriented;
        for i in 0..rows * columns {
            let voxel = self.grid.memory_index([slice, i / columns, i % columns]) as usize;
            let (outer, within) = (voxel / (edge * inner), voxel % inner);
            let at = (outer * slab.count + place) * inner + within;
            for (class, volume) in self.volume_of.iter().enumerate() {
                let Some(volume) = volume else { continue };
                let probability = f64::from(self.logits[class * plane + i]);
                let steps = (probability * self.depth.steps()).round();
                let at = (volume * plane * slab.count + at) * size;
                match self.depth {
                    Depth::Bits8 => slab.bytes[at] = steps as u8,
                    Depth::Bits16 => {
                        let steps = steps as u16;
                        slab.bytes[at..at + 2].copy_from_slice(&if self.is_big_endian {
                            steps.to_be_bytes()
                        } else {
                            steps.to_le_bytes()
                        });
                    }
                }
            }
        }
    }

    fn write_slab(&mut self) -> io::Result<()> {
        let slab = std::mem::take(&mut self.slab);
        let (edge, inner) = (self.grid.oriented[0], self.inner());
        let outer = self.grid.plane() / inner;
        let runs = slab
            .bytes
            .chunks_exact(slab.count * inner * self.depth.datatype().bytes());
        for (i, run) in runs.enumerate() {
            let (volume, outer) = (i / outer, i % outer);
            self.seek(volume, (outer * edge + slab.first) * inner)?;
            self.file.write_all(run)?;
        }
        self.slab = slab;
        Ok(())
    }

    /// Voxels of the file within the axis of the slices.
    fn inner(&self) -> usize {
        self.grid.steps[0].unsigned_abs()
    }

    fn wrong_count(&self, got: usize) -> GridError {
        let left = self.grid.oriented[0] - self.received;
        GridError::Count {
            expected: left * self.logits.len(),
            got,
        }
    }
}

/// Turns logits, `[class, plane]`, into probabilities that add up to 1 at each place.
fn softmax(logits: &mut [f32], plane: usize) {
    let mut most = logits[..plane].to_vec();
    for logits in logits[plane..].chunks_exact(plane) {
        for (most, logit) in most.iter_mut().zip(logits) {
            *most = most.max(*logit);
        }
    }
    let mut sum = vec![0.0; plane];
    for logits in logits.chunks_exact_mut(plane) {
        for ((logit, most), sum) in logits.iter_mut().zip(&most).zip(&mut sum) {
            *logit = (*logit - most).exp();
            *sum += *logit;
        }
    }
    for logits in logits.chunks_exact_mut(plane) {
        for (logit, sum) in logits.iter_mut().zip(&sum) {
            *logit /= sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::nifti::fixture::Made;
    use crate::random::SplitMix64;
    use crate::{Format, Labelling, Orientation, Volume};

    const SHAPE: [usize; 3] = [4, 3, 5];

    fn scan(affine: Affine) -> Scan {
        let volume = Volume {
            voxels: vec![0.0; SHAPE.iter().product()],
            shape: SHAPE,
            affine,
        };
        Scan::of_volume(Format::Dicom, &volume, Vec::new())
    }

    fn logits(count: usize) -> Vec<f32> {
        let mut random = SplitMix64::new(9);
        (0..count)
            .map(|_| 12.0 * random.next_f64() as f32 - 6.0)
            .collect()
    }

    /// Writes by way of a labelling, slabs of at most `most` slices; gives the labels and the file.
    fn write(
        scan: &Scan,
        grid: &ModelGrid,
        logits: &[f32],
        depth: Depth,
        most: usize,
    ) -> (Vec<u8>, Vec<u8>) {
        // Classes in another order than their labels.
        let file = Cursor::new(Vec::new());
        let mut writer =
            ProbabilityWriter::new(scan, grid, &[5, 7], &[0, 7, 5], depth, "test", file).unwrap();
        writer.slab.most = most;
        let mut labelling = Labelling::new(grid, 3).unwrap();
        let [slices, rows, columns] = grid.shape();
        let of_slice = |class: usize, slice: usize| {
            &logits[(class * slices + slice) * rows * columns..][..rows * columns]
        };
        for slice in 0..slices {
            let portion = [0, 1, 2].map(|class| of_slice(class, slice)).concat();
            labelling
                .add_with(&portion, |slice, class, logits| {
                    writer.add(slice, class, logits)
                })
                .unwrap();
        }
        let labels = labelling.finish().unwrap();
        (labels, writer.finish(None).unwrap().into_inner())
    }

    #[test]
    fn every_voxel_has_its_probability_in_all_orders_of_axes_and_any_slabs() {
        let affine = Affine::from_spacing_mm([1.0, 2.0, 3.0]);
        let scan = scan(affine);
        let logits = logits(3 * 60);
        for (round, orientation) in Orientation::all().enumerate() {
            let grid = ModelGrid::new(SHAPE, &affine, orientation, None).unwrap();
            let [slices, rows, columns] = grid.shape();
            for (depth, within) in [(Depth::Bits8, 0.5 / 255.0), (Depth::Bits16, 0.5 / 65535.0)] {
                let (_, file) = write(&scan, &grid, &logits, depth, 1 + round % 5);
                let found = Scan::open(&file, None).unwrap();
                assert_eq!((found.shape(), found.affine()), (&[5, 3, 4, 2][..], affine));
                let volumes = found.volumes().unwrap();
                for i in 0..60 {
                    let place = [i / (rows * columns), i / columns % rows, i % columns];
                    assert!(place[0] < slices);
                    let at = |class: usize| f64::from(logits[class * 60 + i]).exp();
                    let sum: f64 = (0..3).map(at).sum();
                    let voxel = grid.memory_index(place) as usize;
                    // Label 5 is the third class, 7 the second.
                    for (volume, class) in volumes.iter().zip([2, 1]) {
                        let off = f64::from(volume.voxels[voxel]) - at(class) / sum;
                        assert!(off.abs() < within + 1e-6, "{orientation} {off}");
                    }
                }
            }
        }
    }

    /// On a coarser and a finer grid too.
    #[test]
    fn the_most_probable_is_the_label() {
        let affine = Affine::from_spacing_mm([-1.0, 2.0, 3.0]);
        let scan = scan(affine);
        for target in [[2.0, 2.0, 2.0], [1.0, 1.5, 0.7]] {
            let grid = ModelGrid::new(SHAPE, &affine, Orientation::RAS, Some(target)).unwrap();
            let logits = logits(3 * grid.shape().iter().product::<usize>());
            let (labels, file) = write(&scan, &grid, &logits, Depth::Bits16, 2);
            let volumes = Scan::open(&file, None).unwrap().volumes().unwrap();
            for (i, label) in labels.into_iter().enumerate() {
                let [third, second] = [0, 1].map(|volume: usize| volumes[volume].voxels[i]);
                let all = [1.0 - second - third, second, third];
                let most = all.into_iter().fold(0.0, f32::max);
                assert!(all[usize::from(label)] > most - 1e-4, "{all:?} {label}");
            }
        }
    }

    #[test]
    fn the_file_keeps_its_scans_header_and_byte_order() {
        for version in [1, 2] {
            for big_endian in [false, true] {
                let mut made = Made::new(version, big_endian);
                made.set("dim", &[5.0, 3.0, 2.0, 1.0, 1.0, 2.0]);
                let scan = Scan::open(&made.single(), None).unwrap();
                let grid =
                    ModelGrid::new([1, 2, 3], &scan.affine(), Orientation::RAS, None).unwrap();
                let logits: Vec<f32> = [0.0f32, 1.0, 2.0].repeat(6);
                let (_, file) = write(&scan, &grid, &logits, Depth::Bits16, 1);
                let found = Scan::open(&file, None).unwrap();
                assert_eq!(found.format(), scan.format());
                assert_eq!(
                    (found.affine(), found.form_codes()),
                    (scan.affine(), scan.form_codes())
                );
                assert_eq!(
                    (found.shape(), found.datatype_name()),
                    (&[3, 2, 1, 2][..], "uint16")
                );
                assert!(found.values().all(|value| (0.0..1.0).contains(&value)));
                assert!((found.values().sum::<f64>() - 4.0).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn a_structure_without_a_side_is_parted_by_the_plane() {
        let mut affine = Affine::from_spacing_mm([-1.0, 2.0, 3.0]);
        affine.0[0][3] = 2.0;
        let scan = scan(affine);
        let grid = ModelGrid::new(SHAPE, &affine, Orientation::RAS, None).unwrap();
        let file = Cursor::new(Vec::new());
        let classes = [0, 2, 9];
        let mut writer =
            ProbabilityWriter::new(&scan, &grid, &[2, 9, 41], &classes, Depth::Bits8, "", file)
                .unwrap();
        for slice in 0..grid.oriented[0] {
            for (class, logit) in [0.0, 40.0, 0.0].into_iter().enumerate() {
                writer
                    .add(slice, class, &vec![logit; grid.plane()])
                    .unwrap();
            }
        }
        let plane = MidPlane {
            normal: [1.0, 0.0, 0.0],
            offset_mm: 0.5,
        };
        let file = writer
            .finish(Some((&plane, &[[2, 41], [3, 42]])))
            .unwrap()
            .into_inner();
        let volumes = Scan::open(&file, None).unwrap().volumes().unwrap();
        for i in 0..60 {
            // x from 2 to -2 mm.
            let is_right = i % 5 < 2;
            assert_eq!(volumes[0].voxels[i], f32::from(!is_right));
            assert_eq!(volumes[1].voxels[i], 0.0);
            assert_eq!(volumes[2].voxels[i], f32::from(is_right));
        }
    }

    #[test]
    fn slices_come_in_order_and_all_of_them() {
        let affine = Affine::from_spacing_mm([1.0; 3]);
        let scan = scan(affine);
        let grid = ModelGrid::new(SHAPE, &affine, Orientation::RAS, None).unwrap();
        let file = Cursor::new(Vec::new());
        let mut writer =
            ProbabilityWriter::new(&scan, &grid, &[1], &[0, 1], Depth::Bits8, "", file).unwrap();
        let zeros = vec![0.0; grid.plane()];
        assert!(writer.add(1, 0, &zeros).is_err());
        assert!(writer.add(0, 0, &zeros[1..]).is_err());
        writer.add(0, 0, &zeros).unwrap();
        writer.add(0, 1, &zeros).unwrap();
        assert!(matches!(
            writer.finish(None),
            Err(ProbabilityError::Grid(GridError::Count { .. }))
        ));
    }

    /// Sixteen slices of a head with 33 labels; they would be 69 MB.
    #[test]
    fn memory_stays_a_slab() {
        let affine = Affine::from_spacing_mm([1.0; 3]);
        let volume = Volume {
            voxels: vec![0.0; 16 << 16],
            shape: [16, 256, 256],
            affine,
        };
        let scan = Scan::of_volume(Format::Dicom, &volume, Vec::new());
        let orientation = "SAR".parse().unwrap();
        let grid = ModelGrid::new(volume.shape, &affine, orientation, None).unwrap();
        let labels: Vec<u8> = (1..=33).collect();
        let classes: Vec<u8> = (0..=33).collect();
        let file = Cursor::new(Vec::new());
        let mut writer =
            ProbabilityWriter::new(&scan, &grid, &labels, &classes, Depth::Bits16, "", file)
                .unwrap();
        let plane = vec![0.0; grid.plane()];
        for class in 0..=33 {
            writer.add(0, class, &plane).unwrap();
        }
        assert_eq!(grid.oriented[0], 16);
        assert!((2..16).contains(&writer.slab.count));
        assert!(writer.slab.bytes.capacity() <= SLAB_BYTES);
    }
}
