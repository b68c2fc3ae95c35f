//! Voxels that hang together, and the largest such part of a label map.

use std::collections::VecDeque;

/// Which voxels hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbours {
    /// Those that share a face, along these axes of `[z, y, x]`.
    Faces([bool; 3]),
    /// Those that share a face, an edge or a corner.
    Corners,
}

impl Neighbours {
    /// Hands out a voxel's neighbours.
    pub fn each(self, voxel: usize, shape: [usize; 3], mut each: impl FnMut(usize)) {
        let at = place(voxel, shape);
        let [_, rows, columns] = shape;
        match self {
            Self::Faces(axes) => {
                let strides = [rows * columns, columns, 1];
                for axis in (0..3).filter(|axis| axes[*axis]) {
                    if at[axis] > 0 {
                        each(voxel - strides[axis]);
                    }
                    if at[axis] + 1 < shape[axis] {
                        each(voxel + strides[axis]);
                    }
                }
            }
            Self::Corners => {
                let [z, y, x] = [0, 1, 2].map(|axis| {
                    let (at, edge): (usize, usize) = (at[axis], shape[axis]);
                    at.saturating_sub(1)..(at + 2).min(edge)
                });
                for z in z {
                    for y in y.clone() {
                        for x in x.clone() {
                            let neighbour = (z * rows + y) * columns + x;
                            if neighbour != voxel {
                                each(neighbour);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Goes from a voxel to all that hang together with it, nearest first. `take` says whether a voxel belongs to them, and must
    /// say it of each but once.
    pub fn spread(self, start: usize, shape: [usize; 3], mut take: impl FnMut(usize) -> bool) {
        let mut waiting = VecDeque::new();
        if take(start) {
            waiting.push_back(start);
        }
        while let Some(voxel) = waiting.pop_front() {
            self.each(voxel, shape, |next| {
                if take(next) {
                    waiting.push_back(next);
                }
            });
        }
    }
}

/// Slice, row and column of a voxel.
pub fn place(voxel: usize, [_, rows, columns]: [usize; 3]) -> [usize; 3] {
    [
        voxel / (rows * columns),
        voxel / columns % rows,
        voxel % columns,
    ]
}

/// Takes all labels away but those of the largest connected part, the first of equals; returns the number of voxels taken.
/// Voxels are connected by a face, an edge or a corner.
///
/// Takes one byte per voxel beside `labels`.
///
/// # Shapes
/// `labels` is of `shape`, row-major.
pub fn keep_largest_component(labels: &mut [u8], shape: [usize; 3]) -> usize {
    let mut is_visited = vec![false; labels.len()];
    let visit = |start: usize, labels: &[u8], is_visited: &mut [bool]| {
        let mut size = 0;
        Neighbours::Corners.spread(start, shape, |voxel| {
            let is_new = labels[voxel] != 0 && !is_visited[voxel];
            is_visited[voxel] |= is_new;
            size += usize::from(is_new);
            is_new
        });
        size
    };
    let mut sizes_and_starts = Vec::new();
    for start in 0..labels.len() {
        if labels[start] != 0 && !is_visited[start] {
            let size = visit(start, labels, &mut is_visited);
            sizes_and_starts.push((size, start));
        }
    }
    if sizes_and_starts.len() < 2 {
        return 0;
    }
    let first_of_largest = |best: (usize, usize), next: &(usize, usize)| {
        if next.0 > best.0 { *next } else { best }
    };
    let (kept, start) = sizes_and_starts.iter().fold((0, 0), first_of_largest);
    is_visited.fill(false);
    visit(start, labels, &mut is_visited);
    for (label, is_kept) in labels.iter_mut().zip(is_visited) {
        if !is_kept {
            *label = 0;
        }
    }
    let all: usize = sizes_and_starts.iter().map(|(size, _)| size).sum();
    all - kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, two slices of 2 × 5: four voxels of two labels that touch by a corner of the next slice, and a
    /// stray one two columns away.
    #[test]
    fn what_hangs_together_stays_and_strays_go() {
        let mut labels = [
            [1, 1, 0, 0, 2], //
            [0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0],
            [0, 0, 2, 0, 0],
        ]
        .concat();
        let removed = keep_largest_component(&mut labels, [2, 2, 5]);
        let expected = [
            [1, 1, 0, 0, 0], //
            [0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0],
            [0, 0, 2, 0, 0],
        ]
        .concat();
        assert_eq!((labels, removed), (expected, 1));
    }

    /// The end of a row is no neighbour of the next one's begin, though the next in memory.
    #[test]
    fn rows_do_not_hang_together_by_their_ends() {
        let mut labels = [
            [0, 0, 0, 1], //
            [0, 0, 0, 1],
            [1, 0, 0, 0],
        ]
        .concat();
        let removed = keep_largest_component(&mut labels, [1, 3, 4]);
        let expected = [
            [0, 0, 0, 1], //
            [0, 0, 0, 1],
            [0, 0, 0, 0],
        ]
        .concat();
        assert_eq!((labels, removed), (expected, 1));
    }

    #[test]
    fn the_first_of_equals_stays_and_nothing_is_no_error() {
        let mut labels = vec![3, 0, 4];
        let removed = keep_largest_component(&mut labels, [1, 1, 3]);
        assert_eq!((labels, removed), (vec![3, 0, 0], 1));

        let mut empty = vec![0; 8];
        let removed = keep_largest_component(&mut empty, [2, 2, 2]);
        assert_eq!((empty, removed), (vec![0; 8], 0));
    }
}
