//! Why a file is none, or none that can be used.

/// Why a file can't be read as a NIfTI-1 volume, or a label map not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NiftiError {
    /// Neither size nor magic of a NIfTI-1 header.
    #[error(
        "not a NIfTI-1 file: its first four bytes are {start:02x?} (a header size of 348 is expected), its magic is {magic:?} (\"n+1\" is expected)"
    )]
    NotNifti {
        /// First four bytes, where a header says its size of 348.
        start: [u8; 4],
        /// Bytes 344 to 348 as text.
        magic: String,
    },
    /// A header of 540 bytes.
    #[error("this is a NIfTI-2 file (header of 540 bytes); NIfTI-1 is expected: convert it first")]
    Nifti2,
    /// Magic `ni1`.
    #[error(
        "this is the header of a pair (.hdr with a separate .img); a single .nii or .nii.gz file is expected: convert it first"
    )]
    DetachedPair,
    /// A header of 348 bytes without NIfTI's magic.
    #[error(
        "this looks like the header of an ANALYZE 7.5 pair (its magic is {magic:?}); a single .nii or .nii.gz file is expected: convert it first"
    )]
    Analyze {
        /// Bytes 344 to 348 as text.
        magic: String,
    },
    /// The file ends too early.
    #[error("file ends after {got} of {expected} bytes")]
    Truncated {
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
    #[error("the gzip file is damaged after {got} unpacked bytes: {cause}")]
    Gzip {
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
        /// The header's `dim`.
        dim: [i16; 8],
    },
    /// More voxels than this machine can address.
    #[error("shape {shape:?} with {bytes_per_voxel} bytes per voxel is more than can be addressed")]
    TooLarge {
        /// x, y, z, t, …
        shape: Vec<usize>,
        /// Bytes per voxel.
        bytes_per_voxel: usize,
    },
    /// Colours, complex numbers, 128-bit floats, bits, or no known code.
    #[error(
        "datatype {code} ({name}) is not supported: integers of 8 to 64 bits and floats of 32 or 64 bits are"
    )]
    Datatype {
        /// The header's `datatype`.
        code: i16,
        /// Its name.
        name: &'static str,
    },
    /// Voxels can't start there.
    #[error("vox_offset is {found}: 352 or more is expected (or 0)")]
    VoxelOffset {
        /// The header's `vox_offset`.
        found: f32,
    },
    /// A scale without a finite offset.
    #[error("scl_slope is {slope} but scl_inter is {inter}: a finite number is expected")]
    Scaling {
        /// The header's `scl_slope`.
        slope: f32,
        /// The header's `scl_inter`.
        inter: f32,
    },
    /// The affine is flat or not finite, so voxels have no place in space.
    #[error("the {source_field} gives no usable affine: {rows:?}")]
    Affine {
        /// `sform`, `qform` or `pixdim`.
        source_field: &'static str,
        /// First three rows.
        rows: [[f64; 4]; 3],
    },
    /// Several volumes where one is expected.
    #[error("shape is {shape:?}: one three-dimensional volume is expected")]
    NotOneVolume {
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
    #[error("voxel {voxel:?} (x, y, z) holds {value}: labels are whole numbers from 0 to 255")]
    NotALabel {
        /// Index of the voxel.
        voxel: [usize; 3],
        /// What it holds.
        value: f64,
    },
    /// Labels of another scan.
    #[error("{got} labels for a scan of {expected} voxels")]
    LabelCount {
        /// Voxels of the scan.
        expected: usize,
        /// Labels given.
        got: usize,
    },
}

impl NiftiError {
    /// The same error, with what the whole file should hold.
    pub(super) fn of(self, claimed: u64) -> Self {
        match self {
            Self::Truncated { got, .. } => Self::Truncated {
                expected: claimed,
                got,
            },
            other => other,
        }
    }
}
