//! What a stroke has changed, as runs of voxels that can be put back.

/// A box of voxels, first and last `[z, y, x]`, both within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The first voxel along each axis.
    pub first: [usize; 3],
    /// The last one.
    pub last: [usize; 3],
}

impl Bounds {
    pub(super) fn with(self, at: [usize; 3]) -> Self {
        Self {
            first: [0, 1, 2].map(|axis| self.first[axis].min(at[axis])),
            last: [0, 1, 2].map(|axis| self.last[axis].max(at[axis])),
        }
    }
}

/// Neighbouring voxels that had one label and were given another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub start: u32,
    pub length: u32,
    pub before: u8,
    pub after: u8,
}

/// What a stroke has changed: no voxel twice, as what has the label it leaves is not changed.
#[derive(Debug)]
pub(super) struct Stroke {
    pub leaves: u8,
    /// Where the network has made it of so many strokes, it leaves several labels.
    pub learnt_from: Option<usize>,
    pub runs: Vec<Run>,
    pub bounds: Option<Bounds>,
}

impl Stroke {
    pub(super) fn new(leaves: u8) -> Self {
        Self {
            leaves,
            learnt_from: None,
            runs: Vec::new(),
            bounds: None,
        }
    }

    /// Less memory: a fill comes to its voxels in no order.
    pub(super) fn tidy(&mut self) {
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
