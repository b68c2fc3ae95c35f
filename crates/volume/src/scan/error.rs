//! Why a file is no scan, or none that can be used.

/// Why a file can't be read as a scan, or a label map not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// Nothing says what it is.
    #[error(
        "no scan of a format that is known here: it begins with {start}; NIfTI-1, NIfTI-2, ANALYZE 7.5 (.hdr with .img), MGH or MGZ is expected"
    )]
    Unknown {
        /// First bytes, as text where they are.
        start: String,
    },
    /// Something else, and known.
    #[error("this is {what}: {advice}")]
    Other {
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Data of another geometry than a grid of voxels.
    #[error("this is {what}: no volume, which is expected")]
    NoVolume {
        /// What it is.
        what: &'static str,
    },
    /// A header without its voxels.
    #[error(
        "this is the header of a pair ({format}, magic {magic:?}): its voxels are expected with it, a file of the same name that ends in .img or .img.gz"
    )]
    NeedsVoxels {
        /// Of the header.
        format: super::Format,
        /// Where NIfTI's magic would be, as text.
        magic: String,
    },
    /// Voxels without their header.
    #[error(
        "these are a pair's voxels: their header is expected with them, a file of the same name that ends in .hdr or .hdr.gz"
    )]
    NeedsHeader,
    /// Line ends were changed.
    #[error(
        "the file was changed on its way by a transfer as text: bytes 4 to 12 are {found:02x?}, expected are {expected:02x?}"
    )]
    TextTransfer {
        /// Bytes of the magic.
        found: [u8; 8],
        /// As they should be.
        expected: [u8; 8],
    },
    /// The file ends too early.
    #[error("{name} ends after {got} of {expected} bytes")]
    Truncated {
        /// What the file is.
        name: &'static str,
        /// Bytes that the header asks for (after unpacking).
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A compressed file that can't hold what its header claims.
    #[error(
        "the header claims {claimed} bytes, but a gzip file of {compressed} bytes holds at most {most}"
    )]
    ImpossibleClaim {
        /// Bytes that the header asks for.
        claimed: u64,
        /// Size of the compressed file.
        compressed: u64,
        /// What so many bytes can hold.
        most: u64,
    },
    /// The compressed stream is damaged.
    #[error("{name} is a gzip file that is damaged after {got} unpacked bytes: {cause}")]
    Gzip {
        /// What the file is.
        name: &'static str,
        /// Bytes unpacked before.
        got: u64,
        /// What the decoder says.
        cause: String,
    },
    /// No memory for the voxels.
    #[error("no memory for the {bytes} bytes of this file's voxels")]
    OutOfMemory {
        /// Bytes that the header asks for.
        bytes: u64,
    },
    /// A number of dimensions or an edge that can't be.
    #[error("dim is {dim:?}: 1 to 7 dimensions, each of at least 1, are expected")]
    Dimensions {
        /// The header's `dim`: their number, then x, y, z, t, …
        dim: Vec<i64>,
    },
    /// More voxels than this machine can address.
    #[error("shape {shape:?} with {bytes_per_voxel} bytes per voxel is more than can be addressed")]
    TooLarge {
        /// x, y, z, t, …
        shape: Vec<usize>,
        /// Bytes per voxel.
        bytes_per_voxel: usize,
    },
    /// Complex numbers.
    #[error(
        "its voxels are complex numbers ({name}): one real value a voxel is expected, such as the magnitude"
    )]
    Complex {
        /// Of the type.
        name: &'static str,
    },
    /// 128-bit floats, bits, or no known code.
    #[error(
        "datatype {code} ({name}) is not supported: integers of 8 to 64 bits, floats of 32 or 64 bits and colours of 8 bits are"
    )]
    Datatype {
        /// The header's code.
        code: i64,
        /// Its name.
        name: &'static str,
    },
    /// Voxels can't start there.
    #[error("vox_offset is {found}: {least} or more is expected (or 0)")]
    VoxelOffset {
        /// The header's `vox_offset`.
        found: f64,
        /// The first byte that a header leaves for voxels.
        least: usize,
    },
    /// A scale without a finite offset.
    #[error("scl_slope is {slope} but scl_inter is {inter}: a finite number is expected")]
    Scaling {
        /// The header's `scl_slope`.
        slope: f64,
        /// The header's `scl_inter`.
        inter: f64,
    },
    /// The affine is flat or not finite, so voxels have no place in space.
    #[error("the {source_field} gives no usable affine: {rows:?}")]
    Affine {
        /// `sform`, `qform` or `pixdim` of NIfTI, `header` of others.
        source_field: &'static str,
        /// First three rows.
        rows: [[f64; 4]; 3],
    },
    /// Several volumes where one is expected.
    #[error(
        "shape is {shape:?}, so {} volumes: one three-dimensional volume is expected, or the choice of one of 0 to {}",
        volumes(shape),
        volumes(shape) - 1
    )]
    NotOneVolume {
        /// x, y, z, t, …
        shape: Vec<usize>,
    },
    /// A volume beyond the last.
    #[error("there is no volume {index}: shape is {shape:?}, so 0 to {} is expected", volumes(shape) - 1)]
    NoSuchVolume {
        /// The one asked for.
        index: usize,
        /// x, y, z, t, …
        shape: Vec<usize>,
    },
    /// More than one volume for each place along the fourth axis.
    #[error(
        "shape is {shape:?}: three dimensions are expected, or four of which the last is the channel"
    )]
    NotChannels {
        /// x, y, z, t, …
        shape: Vec<usize>,
    },
    /// A value that is no label.
    #[error("voxel {voxel:?} (x, y, z) holds {value}: labels are whole numbers from 0 to {most}")]
    NotALabel {
        /// Index of the voxel.
        voxel: [usize; 3],
        /// What it holds.
        value: f64,
        /// The largest number that a label may have here.
        most: u32,
    },
    /// Too many different values for a label map.
    #[error("it holds more than 255 different numbers, which are too many for labels")]
    ManyLabels,
    /// Labels of another scan.
    #[error("{got} labels for a scan of {expected} voxels")]
    LabelCount {
        /// Voxels of the scan.
        expected: usize,
        /// Labels given.
        got: usize,
    },
}

/// Volumes of a shape x, y, z, t, …
pub(super) fn volumes(shape: &[usize]) -> usize {
    shape.iter().skip(3).product()
}
