//! Why a label map can't be written as a segmentation, or a file not be read as one.

/// Why a label map can't be written as a DICOM segmentation, or a file not be read as one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentationError {
    /// The label map is on another grid than the scan.
    #[error(
        "the label map (z, y, x {found:?}) is not on the grid of its scan ({expected:?}): their corners are {apart_mm} mm apart, one grid is expected"
    )]
    Grid {
        /// Shape of the label map.
        found: [usize; 3],
        /// Shape of the scan.
        expected: [usize; 3],
        /// Largest distance of a corner.
        apart_mm: f64,
    },
    /// Only background.
    #[error(
        "nothing is labelled, and DICOM knows no segmentation without a segment: a label is expected"
    )]
    NothingLabelled,
    /// A file of the series lacks what a reference needs.
    #[error("the series does not say its {what}: without it no segmentation can refer to it")]
    NoUid {
        /// The attribute's name.
        what: &'static str,
    },
    /// Values do not fit into DICOM's 32-bit lengths.
    #[error("the segmentation would have {bytes} bytes of pixels: DICOM holds 4 GiB at most")]
    TooManyFrames {
        /// Bytes of pixels.
        bytes: u64,
    },
    /// The file begins otherwise.
    #[error("this is no DICOM file: \"DICM\" is expected after the first 128 bytes")]
    NotDicom,
    /// The header ends early or contradicts itself.
    #[error("this can't be read as a DICOM segmentation: {reason}")]
    Unreadable {
        /// What is wrong.
        reason: String,
    },
    /// Another object.
    #[error("this DICOM file is {found}: a segmentation (DICOM-SEG, one bit a voxel) is expected")]
    Other {
        /// What it is.
        found: String,
    },
    /// Shares of voxels.
    #[error(
        "this is a fractional segmentation, of which voxel values such as {value} of {most} are no whole labels: a binary one is expected"
    )]
    Fractional {
        /// The first value between.
        value: u8,
        /// What stands for a whole voxel.
        most: u8,
    },
    /// Two segments at one voxel.
    #[error(
        "segments {} ({}) and {} ({}) overlap, {voxels} voxels of frame {frame} are of both: one label a voxel is expected",
        numbers[0], names[0], numbers[1], names[1]
    )]
    Overlap {
        /// Of the two segments.
        numbers: [u16; 2],
        /// As the file calls them.
        names: [String; 2],
        /// Frame in which that is found, counted from 1.
        frame: usize,
        /// How many voxels of it.
        voxels: usize,
    },
    /// More than a label map can hold.
    #[error("segment {found} does not fit into a label map: numbers from 1 to 255 are expected")]
    SegmentNumber {
        /// The number.
        found: i64,
    },
    /// Frames that make no grid.
    #[error("the frames of this segmentation lie on no grid: {reason}")]
    NoGrid {
        /// What is wrong with them.
        reason: String,
    },
    /// Voxels between those of another grid, or none that belong to it.
    #[error("the segmentation's voxels are not those of the scan: {reason}")]
    OtherGrid {
        /// How they differ.
        reason: String,
    },
    /// No memory for the voxels, or more than is read.
    #[error("the segmentation spans {voxels} voxels: at most {limit} are expected")]
    TooLarge {
        /// From its first frame to its last.
        voxels: u64,
        /// Most voxels.
        limit: u64,
    },
}
