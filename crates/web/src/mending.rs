//! A label map that a person changes: strokes of a ball, fills of what is connected, and all of them back and forth. Every change of
//! a voxel is kept as what was there before, so undoing is exact whatever a stroke has gone over.

use dinomed3d_volume::volumetry::LabelSize;
use dinomed3d_volume::{Affine, Label, LabelMap, Scan, gzip};

use crate::language::mend;

/// In every label map that a person has changed; a description has 79 bytes.
pub const DESCRIPTION: &str = "DINO-Med3D, changed by hand; not a medical device";

/// In every label map that a person's strokes have taught the network.
fn learnt_description(strokes: usize) -> String {
    let plural = if strokes == 1 { "" } else { "s" };
    format!(
        "DINO-Med3D, changed by hand, learnt from {strokes} stroke{plural}; not a medical device"
    )
}

/// The narrowest and the widest ball.
pub const SIZES_MM: [f64; 2] = [0.5, 50.0];

/// What a stroke does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Paints the label.
    Brush,
    /// Takes labels away.
    Erase,
    /// Gives all that is connected with a voxel, and labelled as it is, the label.
    Fill,
}

/// How a stroke is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pen {
    /// What it does.
    pub tool: Tool,
    /// The chosen label.
    pub label: u8,
    /// Diameter of the ball.
    pub size_mm: f64,
    /// Whether it goes over slices: a ball and not a disc, what is connected in the volume and not in the plane.
    pub is_solid: bool,
    /// Whether only the background and the chosen label may change.
    pub keeps_others: bool,
}

impl Default for Pen {
    fn default() -> Self {
        Self {
            tool: Tool::Brush,
            label: 1,
            size_mm: 4.0,
            is_solid: true,
            keeps_others: false,
        }
    }
}

impl Pen {
    /// Another size, within [`SIZES_MM`].
    pub fn sized(self, size_mm: f64) -> Self {
        let [least, most] = SIZES_MM;
        Self {
            size_mm: size_mm.clamp(least, most),
            ..self
        }
    }

    /// The label that it leaves.
    fn leaves(&self) -> u8 {
        match self.tool {
            Tool::Erase => 0,
            Tool::Brush | Tool::Fill => self.label,
        }
    }

    /// Whether it may change a voxel of that label.
    fn changes(&self, label: u8) -> bool {
        label != self.leaves() && !(self.keeps_others && label != 0 && label != self.label)
    }
}

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

/// A box of voxels, first and last `[z, y, x]`, both within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The first voxel along each axis.
    pub first: [usize; 3],
    /// The last one.
    pub last: [usize; 3],
}

impl Bounds {
    fn with(self, at: [usize; 3]) -> Self {
        Self {
            first: [0, 1, 2].map(|axis| self.first[axis].min(at[axis])),
            last: [0, 1, 2].map(|axis| self.last[axis].max(at[axis])),
        }
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

/// Neighbouring voxels that had one label and were given another.
#[derive(Debug, Clone, Copy)]
struct Run {
    start: u32,
    length: u32,
    before: u8,
    after: u8,
}

/// What a stroke has changed: no voxel twice, as what has the label it leaves is not changed.
#[derive(Debug)]
struct Stroke {
    leaves: u8,
    /// Where the network has made it of so many strokes, it leaves several labels.
    learnt_from: Option<usize>,
    runs: Vec<Run>,
    bounds: Option<Bounds>,
}

impl Stroke {
    fn new(leaves: u8) -> Self {
        Self {
            leaves,
            learnt_from: None,
            runs: Vec::new(),
            bounds: None,
        }
    }

    /// Less memory: a fill comes to its voxels in no order.
    fn tidy(&mut self) {
        self.runs.sort_unstable_by_key(|run| run.start);
        self.runs.dedup_by(|next, run| {
            let is_alike = run.before == next.before && run.after == next.after;
            let is_next = is_alike && run.start + run.length == next.start;
            if is_next {
                run.length += next.length;
            }
            is_next
        });
        self.runs.shrink_to_fit();
    }
}

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

    /// Moves the ball from one place to another, x, y, z in voxels; fractions lie between voxel centres. The voxels nearest to the way
    /// are changed however small the ball is. A pen that is not solid stays in the slice of `to` across the axis `across` of x, y, z.
    /// Returns where labels have changed. Strokes end with [`Mending::end_stroke`].
    pub fn paint(
        &mut self,
        pen: &Pen,
        from: [f64; 3],
        to: [f64; 3],
        across: usize,
    ) -> Option<Bounds> {
        if !from.iter().chain(&to).all(|at| at.is_finite()) {
            return None;
        }
        let radius_mm = pen.size_mm / 2.0;
        let (mut from, mut to) = (from, to);
        let flat = (!pen.is_solid).then_some(across);
        if let Some(axis) = flat {
            to[axis] = to[axis].round();
            from[axis] = to[axis];
        }
        let leaves = pen.leaves();
        if self
            .under_way
            .as_ref()
            .is_some_and(|stroke| stroke.leaves != leaves)
        {
            self.end_stroke();
        }
        let stroke = self.under_way.take();
        let mut stroke = stroke.unwrap_or_else(|| Stroke::new(leaves));
        let mut changed = None;
        let longest = (0..3).map(|axis| (to[axis] - from[axis]).abs());
        let longest = longest.fold(0.0, f64::max);
        // Half a voxel at a time no voxel on the way is missed.
        let steps = (2.0 * longest).ceil().max(1.0) as usize;
        let on_the_way = |step: usize, of: usize| {
            let share = step as f64 / of as f64;
            [0, 1, 2].map(|axis| from[axis] + share * (to[axis] - from[axis]))
        };
        for step in 0..=steps {
            if let Some(at) = self.nearest(on_the_way(step, steps)) {
                self.change(&mut stroke, pen, at, &mut changed);
            }
        }
        // A piece at a time, so that the box around each is not much larger than what lies in it.
        let narrowest = (0..3).map(|axis| radius_mm * self.reach[axis]);
        let narrowest = narrowest.fold(f64::INFINITY, f64::min).max(1.0);
        let pieces = (longest / narrowest).ceil().max(1.0) as usize;
        for piece in 0..pieces {
            let ends = [on_the_way(piece, pieces), on_the_way(piece + 1, pieces)];
            self.paint_piece(&mut stroke, pen, ends, flat, &mut changed);
        }
        self.under_way = Some(stroke);
        changed
    }

    /// All voxels whose centre is within the radius of a straight way.
    fn paint_piece(
        &mut self,
        stroke: &mut Stroke,
        pen: &Pen,
        [from, to]: [[f64; 3]; 2],
        flat: Option<usize>,
        changed: &mut Option<Bounds>,
    ) {
        let radius_mm = pen.size_mm / 2.0;
        let [slices, rows, columns] = self.map.shape;
        let edges = [columns, rows, slices];
        let mut span = [(0, 0); 3];
        for axis in 0..3 {
            let reach = if flat == Some(axis) {
                0.0
            } else {
                radius_mm * self.reach[axis]
            };
            let first = (from[axis].min(to[axis]) - reach).ceil().max(0.0);
            let last = (from[axis].max(to[axis]) + reach).floor();
            let last = last.min(edges[axis] as f64 - 1.0);
            if first > last {
                return;
            }
            span[axis] = (first as usize, last as usize);
        }
        let affine = self.map.affine;
        let world = |voxel: [f64; 3]| affine.apply(voxel);
        let (start, end) = (world(from), world(to));
        let way = [0, 1, 2].map(|axis| end[axis] - start[axis]);
        let square = way.iter().map(|part| part * part).sum::<f64>();
        // Rounding must not decide about a voxel on the rim.
        let most = radius_mm * radius_mm * (1.0 + 1e-9);
        for z in span[2].0..=span[2].1 {
            for y in span[1].0..=span[1].1 {
                for x in span[0].0..=span[0].1 {
                    let at = world([x as f64, y as f64, z as f64]);
                    let there = [0, 1, 2].map(|axis| at[axis] - start[axis]);
                    let along = (0..3).map(|axis| there[axis] * way[axis]).sum::<f64>();
                    let share = if square > 0.0 {
                        (along / square).clamp(0.0, 1.0)
                    } else {
                        0.0
                    };
                    let apart = (0..3).map(|axis| (there[axis] - share * way[axis]).powi(2));
                    if apart.sum::<f64>() <= most {
                        self.change(stroke, pen, [z, y, x], changed);
                    }
                }
            }
        }
    }

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
        let across = (!pen.is_solid).then_some(2 - across);
        let mut stroke = Stroke::new(pen.label);
        let mut changed = None;
        let mut is_open = false;
        let mut left = vec![[z, y, x]];
        while let Some(at) = left.pop() {
            let is_other = self.map.labels[self.index(at)] != label;
            if is_other {
                continue;
            }
            self.change(&mut stroke, pen, at, &mut changed);
            for axis in (0..3).filter(|axis| Some(*axis) != across) {
                let is_edge = at[axis] == 0 || at[axis] + 1 == self.map.shape[axis];
                is_open |= is_edge && label == 0 && self.map.shape[axis] > 1;
                for next in [at[axis].checked_sub(1), Some(at[axis] + 1)] {
                    let Some(next) = next.filter(|next| *next < self.map.shape[axis]) else {
                        continue;
                    };
                    let mut there = at;
                    there[axis] = next;
                    if self.map.labels[self.index(there)] == label {
                        left.push(there);
                    }
                }
            }
            if is_open {
                self.take_back(&stroke);
                return Err(NoFill::Open);
            }
        }
        self.under_way = Some(stroke);
        self.end_stroke();
        Ok(changed)
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
            Some(strokes) => encoded(file, &self.map.labels, &learnt_description(strokes)),
            None => encoded(file, &self.map.labels, DESCRIPTION),
        }
    }

    fn index(&self, [z, y, x]: [usize; 3]) -> usize {
        let [_, rows, columns] = self.map.shape;
        (z * rows + y) * columns + x
    }

    /// The voxel nearest to a place x, y, z, as `[z, y, x]`; none outside.
    fn nearest(&self, place: [f64; 3]) -> Option<[usize; 3]> {
        let [x, y, z] = place.map(f64::round);
        let at = [z, y, x];
        let mut edges = at.iter().zip(&self.map.shape);
        let is_inside = edges.all(|(at, edge)| (0.0..*edge as f64).contains(at));
        is_inside.then(|| at.map(|at| at as usize))
    }

    fn change(
        &mut self,
        stroke: &mut Stroke,
        pen: &Pen,
        at: [usize; 3],
        changed: &mut Option<Bounds>,
    ) {
        let index = self.index(at);
        let before = self.map.labels[index];
        if !pen.changes(before) {
            return;
        }
        self.map.labels[index] = stroke.leaves;
        self.counts[usize::from(before)] -= 1;
        self.counts[usize::from(stroke.leaves)] += 1;
        let start = index as u32;
        match stroke.runs.last_mut() {
            Some(run) if run.before == before && run.start + run.length == start => run.length += 1,
            _ => stroke.runs.push(Run {
                start,
                length: 1,
                before,
                after: stroke.leaves,
            }),
        }
        let with = |bounds: Option<Bounds>| {
            let alone = Bounds {
                first: at,
                last: at,
            };
            Some(bounds.map_or(alone, |bounds| bounds.with(at)))
        };
        stroke.bounds = with(stroke.bounds);
        *changed = with(*changed);
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

/// A label map's file that says a person changed it, as it is otherwise.
///
/// # Errors
/// Why there can be none, as a sentence without its full stop.
pub fn marked(file: &[u8]) -> Result<Vec<u8>, String> {
    let scan = Scan::open(file, None).map_err(|error| error.to_string())?;
    let map = scan.label_map().map_err(|error| error.to_string())?;
    encoded(file, &map.labels, DESCRIPTION)
}

fn encoded(file: &[u8], labels: &[u8], description: &str) -> Result<Vec<u8>, String> {
    Ok(gzip(&described(file, labels, description)?))
}

/// Not gzipped yet.
fn described(file: &[u8], labels: &[u8], description: &str) -> Result<Vec<u8>, String> {
    let scan = Scan::open(file, None).map_err(|error| error.to_string())?;
    let file = scan.encode_label_map(labels, description);
    file.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::nifti::{Values, encode};

    const SHAPE: [usize; 3] = [7, 9, 11];

    fn empty(affine: Affine) -> Mending {
        let labels = vec![0; SHAPE.iter().product()];
        let map = LabelMap {
            labels,
            shape: SHAPE,
            affine,
        };
        Mending::new(map).expect("a grid")
    }

    fn plain() -> Mending {
        empty(Affine::from_spacing_mm([1.0; 3]))
    }

    fn pen(tool: Tool, label: u8, size_mm: f64) -> Pen {
        Pen {
            tool,
            label,
            size_mm,
            ..Pen::default()
        }
    }

    /// A stroke from one place to another.
    fn stroke(mending: &mut Mending, pen: &Pen, from: [f64; 3], to: [f64; 3]) {
        mending.paint(pen, from, from, 2);
        mending.paint(pen, from, to, 2);
        mending.end_stroke();
    }

    /// The voxels x, y, z of a label.
    fn of(mending: &Mending, label: u8) -> Vec<[usize; 3]> {
        let [_, rows, columns] = SHAPE;
        let voxels = mending.map().labels.iter().enumerate();
        voxels
            .filter(|(_, found)| **found == label)
            .map(|(at, _)| [at % columns, at / columns % rows, at / (columns * rows)])
            .collect()
    }

    /// Counted anew.
    fn assert_counts(mending: &Mending) {
        for value in 0..=255 {
            let count = mending.map().labels.iter().filter(|&&l| l == value).count();
            assert_eq!(mending.counts[usize::from(value)], count as u64, "{value}");
        }
    }

    /// A ball of 2 mm radius on voxels of 1 mm: 33 centres are within it, by hand 1 + 6 + 12 + 8 + 6.
    #[test]
    fn a_ball_is_all_voxels_within_its_radius() {
        let mut mending = plain();
        let bounds = mending.paint(
            &pen(Tool::Brush, 3, 4.0),
            [5.0, 4.0, 3.0],
            [5.0, 4.0, 3.0],
            2,
        );
        let bounds = bounds.expect("something was painted");
        assert_eq!((bounds.first, bounds.last), ([1, 2, 3], [5, 6, 7]));
        assert_eq!(of(&mending, 3).len(), 33);
        assert_eq!(mending.sizes(&[Label::unnamed(3)])[0].voxels, 33);
        assert_counts(&mending);
    }

    /// Held against every voxel's distance, of an oblique grid with unlike edges.
    #[test]
    fn a_stroke_is_what_lies_within_the_radius_of_its_way_in_the_world() {
        let mut affine = Affine::from_spacing_mm([0.8, 1.3, 2.1]);
        (affine.0[0][1], affine.0[1][0], affine.0[2][1]) = (0.4, -0.3, 0.5);
        affine.0[0][3] = -17.0;
        let mut mending = empty(affine);
        let (from, to) = ([1.5, 2.2, 1.0], [8.0, 6.0, 5.0]);
        let pen = pen(Tool::Brush, 1, 3.0);
        stroke(&mut mending, &pen, from, to);
        let (start, end) = (affine.apply(from), affine.apply(to));
        let mut missed = of(&mending, 1);
        for z in 0..SHAPE[0] {
            for y in 0..SHAPE[1] {
                for x in 0..SHAPE[2] {
                    let at = affine.apply([x as f64, y as f64, z as f64]);
                    let distance = (0..=4000).map(|step| {
                        let share = f64::from(step) / 4000.0;
                        let way = |axis: usize| start[axis] + share * (end[axis] - start[axis]);
                        let square = (0..3).map(|axis| (at[axis] - way(axis)).powi(2));
                        square.sum::<f64>().sqrt()
                    });
                    let distance = distance.fold(f64::INFINITY, f64::min);
                    let is_painted = mending.label_at([x, y, z]) == Some(1);
                    missed.retain(|voxel| *voxel != [x, y, z]);
                    // Only the voxels nearest to the way are painted farther off, and the radius is more than half a diagonal.
                    assert_eq!(is_painted, distance <= 1.5, "{x} {y} {z}: {distance}");
                }
            }
        }
        assert!(missed.is_empty() && of(&mending, 1).len() > 20);
    }

    #[test]
    fn a_disc_stays_in_its_slice_and_the_smallest_ball_leaves_no_gap() {
        for across in 0..3 {
            let mut mending = plain();
            let flat = Pen {
                is_solid: false,
                ..pen(Tool::Brush, 2, 4.0)
            };
            mending.paint(&flat, [5.0, 4.0, 3.2], [5.0, 4.0, 3.2], across);
            let voxels = of(&mending, 2);
            // By hand 1 + 4 + 4 + 4.
            assert_eq!(voxels.len(), if across == 2 { 13 } else { voxels.len() });
            assert!(
                voxels
                    .iter()
                    .all(|voxel| voxel[across] == [5, 4, 3][across])
            );
            assert!(voxels.len() >= 9, "{across}: {voxels:?}");
        }
        let mut mending = plain();
        let small = pen(Tool::Brush, 2, SIZES_MM[0]);
        stroke(&mut mending, &small, [0.4, 0.0, 0.0], [10.0, 8.0, 6.0]);
        let line = of(&mending, 2);
        for x in 0..=10 {
            assert!(line.iter().any(|voxel| voxel[0] == x), "{x}: {line:?}");
        }
        assert!(line.contains(&[0, 0, 0]) && line.contains(&[10, 8, 6]));
    }

    /// What the network has learnt gives several labels at once; what was painted, before or while it learnt, stays.
    #[test]
    fn what_was_learnt_is_a_stroke_that_leaves_what_was_painted() {
        let mut mending = plain();
        let middle = [5.0, 4.0, 3.0];
        stroke(&mut mending, &pen(Tool::Brush, 3, 4.0), middle, middle);
        let painted = mending.map().labels.clone();
        // One stroke: its label, how many voxels, and which, each four bytes.
        assert_eq!(mending.pack_strokes().len(), 4 * (2 + 33));
        assert_eq!(mending.pack_strokes()[..8], [3, 0, 0, 0, 33, 0, 0, 0]);
        let learnt: Vec<u8> = (0..painted.len()).map(|at| (at % 3) as u8).collect();
        let bounds = mending.take_learnt(&learnt, 1).expect("of that size");
        assert!(bounds.is_some_and(|bounds| bounds.last == [6, 8, 10]));
        let expected = painted.iter().zip(&learnt);
        let expected = expected.map(|(painted, learnt)| if *painted == 3 { 3 } else { *learnt });
        let expected: Vec<u8> = expected.collect();
        assert_eq!(mending.map().labels, expected);
        assert_counts(&mending);
        // It is none of the person's.
        assert_eq!((mending.num_strokes(), mending.learnt_from()), (1, Some(1)));

        stroke(
            &mut mending,
            &pen(Tool::Erase, 1, 3.0),
            [0.0; 3],
            [2.0, 0.0, 0.0],
        );
        let last = mending.map().labels.clone();
        assert!(mending.undo_learning().is_some());
        assert_eq!(mending.map().labels, painted);
        assert_eq!((mending.num_strokes(), mending.learnt_from()), (1, None));
        assert!(mending.redo().is_some() && mending.map().labels == expected);
        assert!(mending.redo().is_some() && mending.map().labels == last);
        assert_counts(&mending);
        assert!(mending.take_learnt(&learnt[1..], 1).is_err());
        assert!(learnt_description(10_000).len() < 80);
    }

    #[test]
    fn what_lies_outside_the_scan_is_passed_over() {
        let mut mending = plain();
        let brush = pen(Tool::Brush, 1, 3.0);
        stroke(&mut mending, &brush, [-4.0, 4.0, 3.0], [40.0, 4.0, 3.0]);
        assert!(of(&mending, 1).contains(&[0, 4, 3]));
        assert!(of(&mending, 1).contains(&[10, 4, 3]));
        assert_eq!(
            mending.paint(&brush, [90.0, 4.0, 3.0], [90.0, 4.0, 3.0], 2),
            None
        );
        mending.end_stroke();
        assert_eq!(mending.fill(&brush, [11, 0, 0], 2), Ok(None));
        assert_eq!(mending.label_at([0, 9, 0]), None);
        assert_counts(&mending);
    }

    #[test]
    fn undo_and_redo_go_through_every_state_exactly() {
        let mut mending = plain();
        let mut states = vec![mending.map().labels.clone()];
        let strokes = [
            (Tool::Brush, 1, [5.0, 4.0, 3.0], [7.0, 4.0, 3.0]),
            (Tool::Brush, 2, [6.0, 4.0, 3.0], [2.0, 6.0, 5.0]),
            (Tool::Erase, 1, [6.0, 5.0, 3.0], [6.0, 1.0, 1.0]),
            (Tool::Fill, 7, [8.0, 4.0, 3.0], [8.0, 4.0, 3.0]),
            (Tool::Brush, 1, [1.0, 1.0, 1.0], [9.0, 7.0, 5.0]),
        ];
        for (tool, label, from, to) in strokes {
            let pen = pen(tool, label, 3.0);
            match tool {
                Tool::Fill => {
                    let at = from.map(|at| at as usize);
                    mending.fill(&pen, at, 2).expect("closed");
                }
                _ => stroke(&mut mending, &pen, from, to),
            }
            assert_counts(&mending);
            states.push(mending.map().labels.clone());
        }
        assert!(
            states.windows(2).all(|two| two[0] != two[1]),
            "each changes something"
        );
        for _ in 0..2 {
            for state in states.iter().rev().skip(1) {
                let before = mending.map().labels.clone();
                let bounds = mending.undo().expect("something to undo");
                assert_eq!(&mending.map().labels, state);
                // Outside of what is said to have changed nothing has.
                for (index, (a, b)) in before.iter().zip(state).enumerate() {
                    let at = [index / 99, index / 11 % 9, index % 11];
                    let within =
                        (0..3).all(|i| (bounds.first[i]..=bounds.last[i]).contains(&at[i]));
                    assert!(a == b || within);
                }
                assert_counts(&mending);
            }
            assert!(!mending.is_changed() && mending.undo().is_none());
            for state in &states[1..] {
                assert!(mending.redo().is_some());
                assert_eq!(&mending.map().labels, state);
                assert_counts(&mending);
            }
            assert!(mending.redo().is_none());
        }
        mending.undo();
        stroke(&mut mending, &pen(Tool::Brush, 4, 1.0), [0.0; 3], [0.0; 3]);
        assert!(!mending.can_redo(), "a new stroke takes another way");
    }

    #[test]
    fn a_stroke_that_changes_nothing_is_none() {
        let mut mending = plain();
        stroke(
            &mut mending,
            &pen(Tool::Erase, 1, 4.0),
            [5.0, 4.0, 3.0],
            [6.0, 4.0, 3.0],
        );
        assert!(!mending.can_undo() && !mending.is_changed());
        stroke(
            &mut mending,
            &pen(Tool::Brush, 1, 4.0),
            [5.0, 4.0, 3.0],
            [5.0, 4.0, 3.0],
        );
        mending.undo();
        stroke(
            &mut mending,
            &pen(Tool::Erase, 1, 4.0),
            [5.0, 4.0, 3.0],
            [6.0, 4.0, 3.0],
        );
        assert!(
            mending.can_redo(),
            "and takes nothing from what can be redone"
        );
    }

    #[test]
    fn other_labels_are_kept_where_they_are_to_be() {
        let mut mending = plain();
        stroke(
            &mut mending,
            &pen(Tool::Brush, 2, 2.0),
            [5.0, 4.0, 3.0],
            [5.0, 4.0, 3.0],
        );
        let others = of(&mending, 2);
        let keeping = |tool| Pen {
            keeps_others: true,
            ..pen(tool, 1, 5.0)
        };
        stroke(
            &mut mending,
            &keeping(Tool::Brush),
            [5.0, 4.0, 3.0],
            [6.0, 4.0, 3.0],
        );
        assert_eq!(of(&mending, 2), others);
        assert!(!of(&mending, 1).is_empty());
        assert_eq!(
            mending.fill(&keeping(Tool::Fill), [5, 4, 3], 2),
            Err(NoFill::Kept(2))
        );
        stroke(
            &mut mending,
            &keeping(Tool::Erase),
            [5.0, 4.0, 3.0],
            [6.0, 4.0, 3.0],
        );
        assert_eq!(of(&mending, 2), others);
        assert_eq!(of(&mending, 1), [] as [[usize; 3]; 0]);
    }

    #[test]
    fn a_closed_outline_is_filled_and_an_open_one_is_refused() {
        let outline = Pen {
            is_solid: false,
            ..pen(Tool::Brush, 1, SIZES_MM[0])
        };
        let mut mending = plain();
        let corners = [
            [2.0, 2.0, 3.0],
            [8.0, 2.0, 3.0],
            [8.0, 6.0, 3.0],
            [2.0, 6.0, 3.0],
        ];
        for (from, to) in [(0, 1), (1, 2), (2, 3)] {
            stroke(&mut mending, &outline, corners[from], corners[to]);
        }
        let fill = Pen {
            tool: Tool::Fill,
            ..outline
        };
        let before = mending.map().labels.clone();
        assert_eq!(mending.fill(&fill, [5, 4, 3], 2), Err(NoFill::Open));
        assert_eq!(mending.map().labels, before);
        assert_counts(&mending);
        stroke(&mut mending, &outline, corners[3], corners[0]);
        assert_eq!(mending.fill(&fill, [2, 2, 3], 2), Err(NoFill::Same));
        // Over slices it is open.
        let solid = Pen {
            is_solid: true,
            ..fill
        };
        assert_eq!(mending.fill(&solid, [5, 4, 3], 2), Err(NoFill::Open));
        let bounds = mending
            .fill(&fill, [5, 4, 3], 2)
            .expect("closed")
            .expect("filled");
        assert_eq!((bounds.first, bounds.last), ([3, 3, 3], [3, 5, 7]));
        assert_eq!(of(&mending, 1).len(), 7 * 5);
        // Connected by faces in the volume, not over corners.
        stroke(&mut mending, &outline, [9.0, 7.0, 3.0], [9.0, 7.0, 3.0]);
        stroke(&mut mending, &outline, [5.0, 4.0, 4.0], [5.0, 4.0, 4.0]);
        let other = Pen { label: 5, ..solid };
        mending.fill(&other, [5, 4, 4], 0).expect("not background");
        assert_eq!(
            (of(&mending, 5).len(), of(&mending, 1)),
            (36, vec![[9, 7, 3]])
        );
        assert_counts(&mending);
    }

    #[test]
    fn a_slice_across_each_axis_is_filled() {
        for across in 0..3 {
            let mut mending = plain();
            stroke(
                &mut mending,
                &pen(Tool::Brush, 1, 4.0),
                [5.0, 4.0, 3.0],
                [5.0, 4.0, 3.0],
            );
            let flat = Pen {
                is_solid: false,
                ..pen(Tool::Fill, 2, 4.0)
            };
            mending
                .fill(&flat, [5, 4, 3], across)
                .expect("not background");
            let filled = of(&mending, 2);
            assert_eq!(filled.len(), 13, "{across}");
            assert!(
                filled
                    .iter()
                    .all(|voxel| voxel[across] == [5, 4, 3][across])
            );
        }
    }

    #[test]
    fn a_box_is_cut_out_in_the_maps_order() {
        let mut mending = plain();
        mending.map.labels = (0..693).map(|index| (index % 251) as u8).collect();
        let bounds = Bounds {
            first: [2, 3, 4],
            last: [3, 4, 6],
        };
        let patch = mending.cut(bounds);
        assert_eq!((patch.first, patch.shape), ([2, 3, 4], [2, 2, 3]));
        let index = |z: usize, y: usize, x: usize| (((z * 9 + y) * 11 + x) % 251) as u8;
        let rows = [[2, 3], [2, 4], [3, 3], [3, 4]];
        let expected: Vec<u8> = rows
            .iter()
            .flat_map(|[z, y]| (4..=6).map(move |x| index(*z, *y, x)))
            .collect();
        assert_eq!(patch.labels, expected);
    }

    #[test]
    fn a_mended_file_has_its_sources_geometry_and_says_that_a_person_changed_it() {
        let mut affine = Affine::from_spacing_mm([0.5, 1.5, 3.0]);
        (affine.0[0][3], affine.0[0][1]) = (-7.25, 0.25);
        let values: Vec<i16> = (0..693).map(|at| i16::from(at % 5 == 0)).collect();
        let source = gzip(&encode(
            &[11, 9, 7],
            &affine,
            Values::Int16(&values),
            "network",
        ));
        let mut mending = Mending::open(&source).expect("a label map");
        stroke(
            &mut mending,
            &pen(Tool::Brush, 9, 4.0),
            [5.0, 4.0, 3.0],
            [5.0, 4.0, 3.0],
        );
        let written = mending.encode(&source).expect("the same grid");
        let back = Scan::open(&written, None).expect("NIfTI");
        let first = Scan::open(&source, None).expect("NIfTI");
        assert_eq!(back.label_map().unwrap().labels, mending.map().labels);
        assert_eq!(back.affine(), first.affine());
        assert_eq!(back.form_codes(), first.form_codes());
        let plain = described(&source, &mending.map().labels, DESCRIPTION).expect("the same grid");
        let text = String::from_utf8_lossy(&plain[148..228]);
        assert_eq!(text.trim_end_matches('\0'), DESCRIPTION);
        assert!(written == gzip(&plain));
        let marked = marked(&source).expect("a label map");
        let same = Scan::open(&marked, None).unwrap().label_map().unwrap();
        assert_eq!(same, first.label_map().unwrap());
        assert!(Mending::open(b"no scan").is_err());
    }
}
