//! A label map that a person changes: strokes of a ball, fills of what is connected, and all of them back and forth. Every change of
//! a voxel is kept as what was there before, so undoing is exact whatever a stroke has gone over.

mod file;
mod fill;
mod paint;
mod pen;
mod stroke;

pub use file::marked;
pub use fill::NoFill;
pub use pen::{Pen, SIZES_MM, Tool};
pub use stroke::Bounds;

use crate::language::mend;
use dinomed3d_volume::volumetry::LabelSize;
use dinomed3d_volume::{Affine, Label, LabelMap, Scan};
use file::{BY_HAND, encoded, learnt};
use stroke::{Run, Stroke};

/// A label map under a person's hands.
#[derive(Debug)]
pub struct Mending {
    map: LabelMap,
    /// Voxels along each axis, x, y, z, that a millimetre can reach.
    reach: [f64; 3],
    /// Voxels of every label.
    counts: [u64; 256],
    done: Vec<Stroke>,
    undone: Vec<Stroke>,
    under_way: Option<Stroke>,
}

impl Mending {
    /// Of a label map's file.
    ///
    /// # Errors
    /// Why it can't be read, as a sentence without its full stop.
    pub fn open(file: &[u8]) -> Result<Self, String> {
        let scan = Scan::open(file, None).map_err(|error| error.to_string())?;
        Self::new(scan.label_map().map_err(|error| error.to_string())?)
    }

    /// Of a label map.
    ///
    /// # Errors
    /// Where its affine flattens space, or its voxels can't be counted in 32 bits.
    pub fn new(map: LabelMap) -> Result<Self, String> {
        let count = map.labels.len();
        if u32::try_from(count).is_err() {
            return Err(mend::too_many_voxels(count, u32::MAX));
        }
        let inverse = map.affine.inverse();
        let Affine(inverse) = inverse.ok_or(mend::FLAT)?;
        let reach = [0, 1, 2].map(|axis| {
            let row = &inverse[axis];
            (row[0] * row[0] + row[1] * row[1] + row[2] * row[2]).sqrt()
        });
        let mut counts = [0; 256];
        for label in &map.labels {
            counts[usize::from(*label)] += 1;
        }
        Ok(Self {
            map,
            reach,
            counts,
            done: Vec::new(),
            undone: Vec::new(),
            under_way: None,
        })
    }

    /// The map as it is now.
    pub fn map(&self) -> &LabelMap {
        &self.map
    }

    /// The label at a voxel x, y, z; none outside.
    pub fn label_at(&self, voxel: [usize; 3]) -> Option<u8> {
        let [x, y, z] = voxel;
        let at = [z, y, x];
        let is_inside = at.iter().zip(&self.map.shape).all(|(at, edge)| at < edge);
        is_inside.then(|| self.map.labels[self.index(at)])
    }

    /// Whether it is another map than at first; a stroke that is undone does not count.
    pub fn is_changed(&self) -> bool {
        !self.done.is_empty()
    }

    /// Whether a stroke can be undone.
    pub fn can_undo(&self) -> bool {
        !self.done.is_empty()
    }

    /// Whether an undone stroke can be made again.
    pub fn can_redo(&self) -> bool {
        !self.undone.is_empty()
    }

    /// How many strokes a person has made that are not undone.
    pub fn num_strokes(&self) -> usize {
        self.by_hand().count()
    }

    /// Of how many strokes the network has learnt, if it has.
    pub fn learnt_from(&self) -> Option<usize> {
        self.done.iter().rev().find_map(|stroke| stroke.learnt_from)
    }

    /// The strokes of a person, as a worker learns from them, see [`ToWorker::Learn`](crate::protocol::ToWorker::Learn).
    pub fn pack_strokes(&mut self) -> Vec<u8> {
        self.end_stroke();
        let mut words: Vec<u32> = Vec::new();
        for stroke in self.by_hand() {
            let count = stroke.runs.iter().map(|run| run.length).sum();
            words.extend([u32::from(stroke.leaves), count]);
            let voxels = stroke.runs.iter();
            words.extend(voxels.flat_map(|run| run.start..run.start + run.length));
        }
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }

    /// Takes over the label map that a network has learnt from so many strokes, as a stroke that can be undone. What a person has
    /// painted stays. Returns where labels have changed.
    ///
    /// # Errors
    /// Another number of voxels, as a sentence without its full stop.
    pub fn take_learnt(&mut self, labels: &[u8], strokes: usize) -> Result<Option<Bounds>, String> {
        self.end_stroke();
        if labels.len() != self.map.labels.len() {
            let (found, expected) = (labels.len(), self.map.labels.len());
            return Err(mend::another_size(found, expected));
        }
        let mut is_painted = vec![false; labels.len()];
        for run in self.by_hand().flat_map(|stroke| &stroke.runs) {
            is_painted[run.start as usize..(run.start + run.length) as usize].fill(true);
        }
        let [_, rows, columns] = self.map.shape;
        let mut stroke = Stroke::new(0);
        stroke.learnt_from = Some(strokes);
        for index in (0..labels.len()).filter(|index| !is_painted[*index]) {
            let (before, after) = (self.map.labels[index], labels[index]);
            if before == after {
                continue;
            }
            let run = Run {
                start: index as u32,
                length: 1,
                before,
                after,
            };
            self.put(&run, after, before);
            stroke.runs.push(run);
            let at = [
                index / (rows * columns),
                index / columns % rows,
                index % columns,
            ];
            let alone = Bounds {
                first: at,
                last: at,
            };
            stroke.bounds = Some(stroke.bounds.map_or(alone, |bounds| bounds.with(at)));
        }
        let bounds = stroke.bounds;
        stroke.tidy();
        self.undone.clear();
        // Even if nothing has changed: it has learnt.
        self.done.push(stroke);
        Ok(bounds)
    }

    /// Takes back the last learning and what was painted after it, all of which can be made again; returns where labels have changed.
    pub fn undo_learning(&mut self) -> Option<Bounds> {
        self.end_stroke();
        let place = self
            .done
            .iter()
            .rposition(|stroke| stroke.learnt_from.is_some())?;
        let mut changed: Option<Bounds> = None;
        while self.done.len() > place {
            if let Some(bounds) = self.undo() {
                let both = |changed: Bounds| changed.with(bounds.first).with(bounds.last);
                changed = Some(changed.map_or(bounds, both));
            }
        }
        changed
    }

    fn by_hand(&self) -> impl Iterator<Item = &Stroke> {
        self.done
            .iter()
            .filter(|stroke| stroke.learnt_from.is_none())
    }

    /// Size of every label of a table, in its order.
    pub fn sizes(&self, labels: &[Label]) -> Vec<LabelSize> {
        let voxel_ml = self.map.affine.voxel_volume_ml();
        let size = |label: &Label| {
            let voxels = self.counts[usize::from(label.value)];
            LabelSize {
                value: label.value,
                voxels,
                volume_ml: voxels as f64 * voxel_ml,
            }
        };
        labels.iter().map(size).collect()
    }

    /// The stroke is over, and can be undone as a whole.
    pub fn end_stroke(&mut self) {
        let Some(mut stroke) = self.under_way.take() else {
            return;
        };
        if stroke.runs.is_empty() {
            return;
        }
        stroke.tidy();
        self.undone.clear();
        self.done.push(stroke);
    }

    /// Takes the last stroke back; returns where labels have changed.
    pub fn undo(&mut self) -> Option<Bounds> {
        self.end_stroke();
        let stroke = self.done.pop()?;
        self.take_back(&stroke);
        let bounds = stroke.bounds;
        self.undone.push(stroke);
        bounds
    }

    /// Makes the last undone stroke again; returns where labels have changed.
    pub fn redo(&mut self) -> Option<Bounds> {
        self.end_stroke();
        let stroke = self.undone.pop()?;
        for run in &stroke.runs {
            self.put(run, run.after, run.before);
        }
        let bounds = stroke.bounds;
        self.done.push(stroke);
        bounds
    }

    /// The labels of a box.
    pub fn cut(&self, bounds: Bounds) -> Patch {
        let shape = [0, 1, 2].map(|axis| bounds.last[axis] + 1 - bounds.first[axis]);
        let mut labels = Vec::with_capacity(shape.iter().product());
        for z in bounds.first[0]..=bounds.last[0] {
            for y in bounds.first[1]..=bounds.last[1] {
                let start = self.index([z, y, bounds.first[2]]);
                labels.extend_from_slice(&self.map.labels[start..start + shape[2]]);
            }
        }
        Patch {
            first: bounds.first,
            shape,
            labels,
        }
    }

    /// The map as a gzipped file with the header of `file`, a label map of the same scan, that says a person changed it.
    ///
    /// # Errors
    /// Why there can be none, as a sentence without its full stop.
    pub fn encode(&self, file: &[u8]) -> Result<Vec<u8>, String> {
        match self.learnt_from() {
            Some(strokes) => encoded(file, &self.map.labels, &learnt(strokes)),
            None => encoded(file, &self.map.labels, BY_HAND),
        }
    }

    fn index(&self, [z, y, x]: [usize; 3]) -> usize {
        let [_, rows, columns] = self.map.shape;
        (z * rows + y) * columns + x
    }

    fn take_back(&mut self, stroke: &Stroke) {
        for run in &stroke.runs {
            self.put(run, run.before, run.after);
        }
    }

    fn put(&mut self, run: &Run, label: u8, before: u8) {
        let start = run.start as usize;
        self.map.labels[start..start + run.length as usize].fill(label);
        self.counts[usize::from(before)] -= u64::from(run.length);
        self.counts[usize::from(label)] += u64::from(run.length);
    }
}

/// The labels of a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Its first voxel, `[z, y, x]`.
    pub first: [usize; 3],
    /// Voxels along `[z, y, x]`.
    pub shape: [usize; 3],
    /// `[z, y, x]`.
    pub labels: Vec<u8>,
}

#[cfg(test)]
mod tests;
