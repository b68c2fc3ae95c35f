//! A closer look: where a model of one part of the body finds its part in the label map of a whole, and how its answer
//! comes into that map.

use crate::model::SettingError;
use crate::model::check::expect;
use dinomed3d_volume::region::mirror;
use dinomed3d_volume::{Image, Label, LabelMap, Orientation, Region, Volume};
use serde::{Deserialize, Serialize};

/// What a manifest says of a model that sees crops of something that another model finds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartOf {
    /// Name of the model that finds the places.
    pub model: String,
    /// What a person calls all places together, such as "hippocampi".
    pub name: String,
    /// Between a label's voxels and the crop's border, as in the crops that the model was trained on.
    pub margin_mm: f64,
    /// Where the part lies, and what becomes of it there.
    pub places: Vec<Place>,
}

/// One place of the part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The other model's label around which a crop is cut.
    pub around: u8,
    /// Whether the model sees the crop's mirror image, left for right.
    #[serde(default)]
    pub mirrored: bool,
    /// What the model's labels are called here, in its order, without background.
    pub labels: Vec<Label>,
}

/// A crop of a scan for one place.
#[derive(Clone, Debug)]
pub struct Crop<'a> {
    place: &'a Place,
    region: Region,
    /// 0 for z.
    mirrored_axis: Option<usize>,
}

impl PartOf {
    /// Whether it can be followed by a model of so many labels without background.
    ///
    /// # Errors
    /// [`SettingError`], naming the first setting that can't be.
    pub fn check(&self, num_labels: usize) -> Result<(), SettingError> {
        expect(
            self.margin_mm.is_finite() && self.margin_mm >= 0.0,
            "partOf.marginMm",
            self.margin_mm,
            "0 or more",
        )?;
        let mut seen = [false; 256];
        seen[0] = true;
        for place in &self.places {
            let values: Vec<u8> = place.labels.iter().map(|label| label.value).collect();
            let mut is_new = |value: &u8| !std::mem::replace(&mut seen[usize::from(*value)], true);
            expect(
                values.len() == num_labels && values.iter().all(&mut is_new),
                "partOf.places.labels",
                format!("of the values {values:?}"),
                &format!("{num_labels} values for each place, none 0, each once"),
            )?;
        }
        Ok(())
    }

    /// The labels of all places.
    pub fn labels(&self) -> impl Iterator<Item = &Label> {
        self.places.iter().flat_map(|place| &place.labels)
    }

    /// A crop for each place that lies in the label map.
    pub fn crops(&self, map: &LabelMap) -> Vec<Crop<'_>> {
        let orientation = map.affine.orientation().reversed(); // z, y, x
        let (left_right, _) = orientation.to(Orientation::RAS)[0];
        self.places
            .iter()
            .filter_map(|place| {
                let region = Region::around(map, place.around)?;
                Some(Crop {
                    place,
                    region: region.widened(self.margin_mm, &map.affine, map.shape),
                    mirrored_axis: place.mirrored.then_some(left_right),
                })
            })
            .collect()
    }
}

impl Crop<'_> {
    /// What is looked at.
    pub fn place(&self) -> &Place {
        self.place
    }

    /// What the model is to see of a scan on the label map's grid.
    pub fn of(&self, scan: &impl Image) -> Volume {
        let mut crop = self.region.cut(scan);
        if let Some(axis) = self.mirrored_axis {
            mirror(&mut crop.voxels, crop.shape, axis);
        }
        crop
    }

    /// Share of what the model labels that lies in the label around which the crop was cut; 0 where it labels nothing.
    ///
    /// # Shapes
    /// As [`Crop::lay`].
    pub fn overlap(&self, answer: &[u8], values: &[u8], map: &LabelMap) -> f64 {
        let (mut labelled, mut inside) = (0usize, 0usize);
        self.each(answer.to_vec(), values, map.shape, |voxel, _| {
            labelled += 1;
            inside += usize::from(map.labels[voxel] == self.place.around);
        });
        inside as f64 / labelled.max(1) as f64
    }

    /// Lays the model's answer into the label map: voxels that it labels take the place's values, all others stay.
    ///
    /// # Shapes
    /// `answer` is on the crop's grid; `values` are those of the model's labels in order, without background.
    pub fn lay(&self, answer: Vec<u8>, values: &[u8], map: &mut LabelMap) {
        let labels = &mut map.labels;
        self.each(answer, values, map.shape, |voxel, class| {
            labels[voxel] = self.place.labels[class].value;
        });
    }

    /// Calls `take` for each voxel that an answer labels, with its index in the scan and the place of its label.
    fn each(
        &self,
        mut answer: Vec<u8>,
        values: &[u8],
        of_scan: [usize; 3],
        mut take: impl FnMut(usize, usize),
    ) {
        let shape = self.region.shape();
        if let Some(axis) = self.mirrored_axis {
            mirror(&mut answer, shape, axis);
        }
        let answers = answer.chunks_exact(shape[2]);
        for (row, answers) in self.region.rows(of_scan).zip(answers) {
            for (voxel, answer) in row.zip(answers) {
                if let Some(class) = values.iter().position(|value| value == answer) {
                    take(voxel, class);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::Affine;

    fn label(value: u8) -> Label {
        Label::unnamed(value)
    }

    fn part() -> PartOf {
        PartOf {
            model: "head".into(),
            name: "hippocampi".into(),
            margin_mm: 0.9,
            places: vec![
                Place {
                    around: 17,
                    mirrored: false,
                    labels: vec![label(201), label(202)],
                },
                Place {
                    around: 53,
                    mirrored: true,
                    labels: vec![label(203), label(204)],
                },
            ],
        }
    }

    /// A row of voxels from right to left in a world with oblique axes; values rise towards the left.
    fn scan() -> (Volume, LabelMap) {
        let mut affine = Affine::from_spacing_mm([1.0; 3]);
        affine.0[0] = [-0.9, 0.0, 0.3, 10.0];
        affine.0[2] = [0.3, 0.0, 0.9, 0.0];
        let shape = [1, 1, 10];
        let scan = Volume {
            voxels: (0..10u8).map(f32::from).collect(),
            shape,
            affine,
        };
        let map = LabelMap {
            labels: vec![0, 0, 53, 0, 3, 0, 17, 17, 0, 2],
            shape,
            affine,
        };
        (scan, map)
    }

    /// By hand. The model of the part answers 9 (its first label) for the crop's first voxel and 4 for its last but one, as it
    /// sees them; the right side's crop is seen mirrored, so that its answer is laid back mirrored.
    #[test]
    fn crops_are_cut_mirrored_and_their_answers_laid_back() {
        let (scan, mut map) = scan();
        let part = part();
        let crops = part.crops(&map);
        let seen: Vec<_> = crops.iter().map(|crop| crop.of(&scan).voxels).collect();
        assert_eq!(seen, [vec![5.0, 6.0, 7.0, 8.0], vec![3.0, 2.0, 1.0]]);
        // Of two voxels of the left side's answer one lies in 17; of the right side's mirrored one, in 53, one of two.
        assert_eq!(crops[0].overlap(&[9, 0, 4, 0], &[9, 4], &map), 0.5);
        assert_eq!(crops[1].overlap(&[9, 4, 0], &[9, 4], &map), 0.5);
        assert_eq!(crops[1].overlap(&[9, 0, 0], &[9, 4], &map), 0.0);
        crops[0].lay(vec![9, 0, 4, 0], &[9, 4], &mut map);
        crops[1].lay(vec![9, 4, 0], &[9, 4], &mut map);
        assert_eq!(map.labels, [0, 0, 204, 203, 3, 201, 17, 202, 0, 2]);
    }

    #[test]
    fn a_place_that_is_not_there_gives_no_crop() {
        let (_, mut map) = scan();
        map.labels
            .iter_mut()
            .for_each(|l| *l = u8::from(*l == 53) * 53);
        assert_eq!(part().crops(&map).len(), 1);
    }
}
