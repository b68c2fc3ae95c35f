//! A volume of a scan, as its file has it.

use super::{ScanError, Voxels, reserve};
use crate::{Affine, Image, Volume};
use std::borrow::Cow;
use std::ops::Range;

/// One volume of a scan, as its file has it.
#[derive(Clone, Copy, Debug)]
pub struct ScanImage<'a> {
    voxels: &'a Voxels,
    /// Of the volume among all voxels.
    first: usize,
    shape: [usize; 3],
    affine: Affine,
}

impl<'a> ScanImage<'a> {
    /// The volume of `shape` whose first voxel is that one.
    pub(crate) fn new(voxels: &'a Voxels, first: usize, shape: [usize; 3], affine: Affine) -> Self {
        Self {
            voxels,
            first,
            shape,
            affine,
        }
    }
}

impl Image for ScanImage<'_> {
    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn affine(&self) -> Affine {
        self.affine
    }

    fn values(&self, range: Range<usize>) -> impl Iterator<Item = f32> + '_ {
        assert!(range.end <= self.count(), "voxels of this volume");
        let range = self.first + range.start..self.first + range.end;
        self.voxels.values(range).map(|value| value as f32)
    }

    fn whole(&self) -> Result<Cow<'_, Volume>, ScanError> {
        let mut voxels = reserve::<f32>(self.count())?;
        voxels.extend(self.values(0..self.count()));
        Ok(Cow::Owned(Volume {
            voxels,
            shape: self.shape,
            affine: self.affine,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nifti::{Values, encode};
    use crate::{Region, Scan};

    /// Of the second of two volumes, with a number that its file doesn't hold.
    #[test]
    fn a_scans_image_is_its_volume() {
        let affine = Affine::from_spacing_mm([1.0, 2.0, 3.0]);
        let values: Vec<i16> = (0..48).map(|i| (7 * i) % 31 - 5).collect();
        let file = encode(&[4, 3, 2, 2], &affine, Values::Int16(&values), "");
        let scan = Scan::open(&file, None).unwrap();
        let (volume, image) = (scan.volume_at(1).unwrap(), scan.image_at(1).unwrap());
        assert_eq!(
            volume.voxels[..3],
            [24, 25, 26].map(|i| f32::from((7 * i) % 31 - 5i16))
        );
        assert_eq!(
            (image.shape(), image.affine()),
            (volume.shape, volume.affine)
        );
        assert_eq!(*image.whole().unwrap(), volume);
        let region = Region {
            ranges: [0..2, 1..3, 1..2],
        };
        assert_eq!(region.cut(&image), region.cut(&volume));
        assert!(scan.image_at(2).is_err() && scan.image().is_err());
    }
}
