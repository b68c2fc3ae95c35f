//! How large a scan is and where it lies: what its header says, before any voxel is read.

use super::{ScanError, Source, open};
use crate::{Affine, mgh, nifti};

/// A scan's size and place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outline {
    /// Edges of each volume, `[z, y, x]`.
    pub shape: [usize; 3],
    /// From voxel index `(x, y, z)` to world millimetres.
    pub affine: Affine,
    /// Length of the voxels of all its volumes as the file stores them, unpacked.
    pub stored_bytes: u64,
}

impl Outline {
    /// What the beginning of a file says, which may be all that there is of it; of a pair that of its header.
    ///
    /// # Errors
    /// As [`Scan::open`](super::Scan::open), but for what is wrong with voxels.
    pub fn of(beginning: &[u8]) -> Result<Self, ScanError> {
        let file = Source::new(beginning);
        let head = file.head(open::HEAD_BYTES)?;
        if nifti::is_header(&head) {
            nifti::outline(&head, file)
        } else if mgh::is_header(&head) {
            mgh::outline(&head, file)
        } else {
            Err(open::not_known(&head))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scan;
    use super::*;
    use crate::gzip;
    use crate::nifti::fixture::Made;

    /// Of every format, packed and not, and cut off behind its header.
    #[test]
    fn a_header_says_what_the_scan_says() {
        let mut analyze = Made::new(1, false).pair();
        analyze.0[344..348].fill(0);
        let mgh = mgh::fixture(4, &[3, 2, 2, 2], &[1; 48]);
        let mut files = vec![(mgh.clone(), Scan::open(&mgh, None)), {
            let scan = Scan::open(&analyze.0, Some(&analyze.1));
            (analyze.0, scan)
        }];
        for (version, is_big) in [(1, false), (1, true), (2, false), (2, true)] {
            let made = Made::new(version, is_big);
            let (single, (header, voxels)) = (made.single(), made.pair());
            files.push((single.clone(), Scan::open(&single, None)));
            files.push((header.clone(), Scan::open(&header, Some(&voxels))));
        }
        for (file, scan) in files {
            let scan = scan.unwrap();
            let expected = scan.outline();
            assert_eq!(expected.shape, scan.grid_shape());
            assert_eq!(expected.stored_bytes, scan.voxels.bytes.len() as u64);
            let packed = gzip(&file);
            let cut = &packed[..packed.len() - 8];
            for beginning in [&file[..], &file[..540.min(file.len())], &packed, cut] {
                assert_eq!(Outline::of(beginning).unwrap(), expected);
            }
        }
        for nothing in [&b"PK\x03\x04...."[..], b"notes", b""] {
            let expected = Scan::open(nothing, None).unwrap_err().to_string();
            assert_eq!(Outline::of(nothing).unwrap_err().to_string(), expected);
        }
    }
}
