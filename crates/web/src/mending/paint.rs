//! A ball moved through the voxels.

use super::stroke::{Run, Stroke};
use super::{Bounds, Mending, Pen};

impl Mending {
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

    /// The voxel nearest to a place x, y, z, as `[z, y, x]`; none outside.
    fn nearest(&self, place: [f64; 3]) -> Option<[usize; 3]> {
        let [x, y, z] = place.map(f64::round);
        let at = [z, y, x];
        let mut edges = at.iter().zip(&self.map.shape);
        let is_inside = edges.all(|(at, edge)| (0.0..*edge as f64).contains(at));
        is_inside.then(|| at.map(|at| at as usize))
    }

    pub(super) fn change(
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
}
