//! What is connected with a voxel given a label.

use super::stroke::Stroke;
use super::{Bounds, Mending, Pen};
use dinomed3d_volume::component::{Neighbours, place};

/// Why nothing was filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFill {
    /// The place has the label already.
    Same,
    /// The label of the place is to be kept.
    Kept(u8),
    /// The background there reaches the edge of the scan: no outline closes it.
    Open,
}

impl Mending {
    /// Fills what is connected with a voxel x, y, z by voxels' faces and has its label: in the volume, or, with a pen that is not
    /// solid, in the slice across that axis of x, y, z. It is a stroke of its own. Returns where labels have changed.
    ///
    /// # Errors
    /// Why nothing was changed. [`NoFill::Open`] is said of background only.
    pub fn fill(
        &mut self,
        pen: &Pen,
        voxel: [usize; 3],
        across: usize,
    ) -> Result<Option<Bounds>, NoFill> {
        self.end_stroke();
        let [x, y, z] = voxel;
        let Some(label) = self.label_at(voxel) else {
            return Ok(None);
        };
        if label == pen.label {
            return Err(NoFill::Same);
        }
        if !pen.changes(label) {
            return Err(NoFill::Kept(label));
        }
        let axes = [0, 1, 2].map(|axis| pen.is_solid || axis != 2 - across);
        let shape = self.map.shape;
        let is_at_edge = |at: [usize; 3]| {
            let mut axes = (0..3).filter(|axis| axes[*axis] && shape[*axis] > 1);
            axes.any(|axis| at[axis] == 0 || at[axis] + 1 == shape[axis])
        };
        let mut stroke = Stroke::new(pen.label);
        let mut changed = None;
        let mut is_open = false;
        Neighbours::Faces(axes).spread(self.index([z, y, x]), shape, |voxel| {
            // What is changed has another label, so no voxel is taken twice.
            if is_open || self.map.labels[voxel] != label {
                return false;
            }
            let at = place(voxel, shape);
            self.change(&mut stroke, pen, at, &mut changed);
            is_open = label == 0 && is_at_edge(at);
            true
        });
        if is_open {
            self.take_back(&stroke);
            return Err(NoFill::Open);
        }
        self.under_way = Some(stroke);
        self.end_stroke();
        Ok(changed)
    }
}
