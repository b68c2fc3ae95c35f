//! Why files are no scan, or none that can be used.

/// Why DICOM files can't be read as a volume.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DicomError {
    /// No file begins as DICOM does.
    #[error(
        "of {} none is DICOM: \"DICM\" is expected after the first 128 bytes of one",
        some(*files, "file", "files")
    )]
    NotDicom {
        /// Files looked at.
        files: usize,
    },
    /// A DICOM file whose header ends early or contradicts itself.
    #[error("{name} can't be read as DICOM: {reason}")]
    Unreadable {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The source of a file fails.
    #[error("{name} can't be read: {reason}")]
    Io {
        /// The file.
        name: String,
        /// What the system says.
        reason: String,
    },
    /// A zip that can't be unpacked.
    #[error("the zip can't be read: {reason}")]
    Zip {
        /// What is wrong with it.
        reason: String,
    },
    /// Reports, segmentations, plans, but no image.
    #[error("no scan here, only {found}: images with pixels are expected")]
    NoPixels {
        /// What there is, counted, in words.
        found: String,
    },
    /// Several series and none chosen.
    #[error("{} series, of which one has to be chosen: {}", list.len(), list.join("; "))]
    SeveralSeries {
        /// Each in words, in the order of the list.
        list: Vec<String>,
    },
    /// Slices of one series that look in several directions, none of them chosen.
    #[error(
        "the {} slices of this series lie in {} orientations ({}): one is expected, or one has to be chosen",
        counts.iter().sum::<usize>(), counts.len(), listed(counts)
    )]
    MixedOrientations {
        /// Slices of each orientation.
        counts: Vec<usize>,
    },
    /// Slices of one series with several sizes, pixel spacings or thicknesses, none of them chosen.
    #[error(
        "the {} slices of this series come in {} sizes, spacings or thicknesses ({}): one is expected, or one has to be chosen",
        counts.iter().sum::<usize>(), counts.len(), listed(counts)
    )]
    MixedSpacing {
        /// Slices of each.
        counts: Vec<usize>,
    },
    /// A number that is not in the list.
    #[error("there is no series {wanted}: there are {count}, counted from 0")]
    NoSuchSeries {
        /// Asked for.
        wanted: usize,
        /// How many there are.
        count: usize,
    },
    /// A number that is not among the volumes of a series.
    #[error("there is no volume {wanted} in this series: it has {count}, counted from 0")]
    NoSuchVolume {
        /// Asked for.
        wanted: usize,
        /// How many there are.
        count: usize,
    },
    /// Without PixelSpacing, or nothing that says how far slices lie apart.
    #[error(
        "{} how large a pixel is: PixelSpacing, and for a single image its thickness, is expected",
        silent(*slices, modality)
    )]
    NoSpacing {
        /// Images without it.
        slices: usize,
        /// Such as `US`.
        modality: String,
    },
    /// Without ImagePositionPatient or ImageOrientationPatient.
    #[error(
        "{} where they lie: ImagePositionPatient and ImageOrientationPatient are expected",
        silent(*slices, modality)
    )]
    NoPlace {
        /// Images without it.
        slices: usize,
        /// Such as `CR`.
        modality: String,
    },
    /// Rows and columns that are no unit vectors at right angles.
    #[error(
        "ImageOrientationPatient is {found:?}: two directions of length 1 at right angles are expected"
    )]
    Orientation {
        /// The six numbers.
        found: [f64; 6],
    },
    /// Slices that cover no volume.
    #[error(
        "all {slices} slices lie at one place ({position_mm:?} mm): slices side by side are expected"
    )]
    OnePlace {
        /// How many.
        slices: usize,
        /// ImagePositionPatient.
        position_mm: [f64; 3],
    },
    /// Gaps that are multiples of the smallest one.
    #[error(
        "{} missing: {found} of {expected} are there at a distance of {gap_mm} mm; the first hole lies after slice {after}",
        some(expected - found, "slice is", "slices are")
    )]
    MissingSlices {
        /// Places with slices.
        found: usize,
        /// Places there should be.
        expected: usize,
        /// Smallest distance.
        gap_mm: f64,
        /// Number of the last slice before the first hole, counted from 1 along the normal.
        after: usize,
    },
    /// Gaps of several lengths.
    #[error("{slices} slices lie unevenly: {} to {} mm apart, one distance is expected", gaps_mm[0], gaps_mm[1])]
    UnevenSlices {
        /// Places with slices.
        slices: usize,
        /// Smallest and largest distance.
        gaps_mm: [f64; 2],
    },
    /// Slices that are shifted against each other along their plane, each by another length.
    #[error(
        "slices are shifted against each other along their plane by up to {off_mm} mm: a straight stack is expected"
    )]
    Shifted {
        /// Largest distance from the straight line through first and last slice.
        off_mm: f64,
    },
    /// Places with different numbers of slices.
    #[error(
        "places of this series hold {least} to {most} slices each, so they don't make whole volumes: the same number at each place is expected"
    )]
    UnequalPlaces {
        /// Fewest slices at a place.
        least: usize,
        /// Most.
        most: usize,
    },
    /// An encoding of pixels without a decoder here.
    #[error(
        "pixels of {name} are stored as {syntax}, for which there is no decoder here: save them uncompressed, or as RLE, JPEG lossless or JPEG 2000"
    )]
    TransferSyntax {
        /// The file.
        name: String,
        /// Name and UID of the transfer syntax.
        syntax: String,
    },
    /// Palettes, odd depths, numbers of samples.
    #[error(
        "pixels of {name} are {found}: at most 8192 × 8192 grey values of 8, 16 or 32 bits, or RGB and YBR_FULL of 8 bits are expected"
    )]
    PixelFormat {
        /// The file.
        name: String,
        /// What they are.
        found: String,
    },
    /// Pixels that end early or can't be decoded.
    #[error("frame {frame} of {name} can't be decoded: {reason}")]
    Frame {
        /// The file.
        name: String,
        /// Counted from 1.
        frame: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No memory for the voxels.
    #[error("no memory for the {bytes} bytes of this volume's voxels")]
    OutOfMemory {
        /// Bytes asked for.
        bytes: u64,
    },
}

/// A number with what there is of it.
pub(super) fn some(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn silent(images: usize, modality: &str) -> String {
    let verb = if images == 1 { "does" } else { "do" };
    format!("{images} of this series' images ({modality}) {verb} not say")
}

fn listed(counts: &[usize]) -> String {
    counts
        .iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
