//! What is done to a label map after the network.

mod plane_cut;

pub use plane_cut::PlaneCut;

use dinomed3d_volume::Orientation;
use dinomed3d_volume::component::keep_largest_component;
use serde::{Deserialize, Serialize};

/// Corrections of label maps, made in this order; decided when a model is exported by what they do to the validation
/// cases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Postprocessing(pub Vec<Correction>);

/// A correction of label maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// Of all foreground together only the largest connected part is kept; voxels are connected by a face, an edge or
    /// a corner.
    ///
    /// Source: nnU-Net (Isensee et al. 2021), which decides on it in the same way.
    LargestComponent,
    /// Two labels that a protocol cuts from each other by a plane are parted by one.
    PlaneCut(PlaneCut<u8>),
}

/// How many voxels the corrections have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// That have lost their label.
    pub removed: usize,
    /// That have another label.
    pub relabelled: usize,
}

impl Postprocessing {
    /// Corrects a label map in place; background is 0.
    ///
    /// # Shapes
    /// `labels` is of `shape`, row-major, its axes running as `orientation` says.
    ///
    /// # Panics
    /// If `labels` is not of that shape.
    pub fn apply(&self, labels: &mut [u8], shape: [usize; 3], orientation: Orientation) -> Changes {
        assert_eq!(
            labels.len(),
            shape.iter().product::<usize>(),
            "labels of shape {shape:?}"
        );
        let mut changes = Changes::default();
        for correction in &self.0 {
            match correction {
                Correction::LargestComponent => {
                    changes.removed += keep_largest_component(labels, shape);
                }
                Correction::PlaneCut(cut) => {
                    changes.relabelled += cut.apply(labels, shape, orientation);
                }
            }
        }
        changes
    }
}

impl Postprocessing {
    /// For people, in half a sentence; `name` is that of a label's value.
    pub fn describe(&self, name: impl Fn(u8) -> String) -> String {
        if self.0.is_empty() {
            return "none".into();
        }
        let of = |correction: &Correction| match correction {
            Correction::LargestComponent => {
                "only the largest connected part of all labels is kept".to_owned()
            }
            Correction::PlaneCut(cut) => {
                let [before, behind] = cut.labels.map(&name);
                format!(
                    "{before} and {behind} are parted by a plane across the axis towards {}",
                    cut.towards
                )
            }
        };
        let all: Vec<String> = self.0.iter().map(of).collect();
        all.join(", and ")
    }
}
