//! The largest connected part of a label map.

/// Takes all labels away but those of the largest connected part, the first of equals; returns the number of voxels taken.
/// Voxels are connected by a face, an edge or a corner.
///
/// Takes one byte per voxel beside `labels`.
///
/// # Shapes
/// `labels` is of `shape`, row-major.
pub fn keep_largest_component(labels: &mut [u8], shape: [usize; 3]) -> usize {
    let mut is_visited = vec![false; labels.len()];
    let mut sizes_and_starts = Vec::new();
    for start in 0..labels.len() {
        if labels[start] != 0 && !is_visited[start] {
            let size = visit_component(labels, shape, start, &mut is_visited);
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
    visit_component(labels, shape, start, &mut is_visited);
    for (label, is_kept) in labels.iter_mut().zip(is_visited) {
        if !is_kept {
            *label = 0;
        }
    }
    let all: usize = sizes_and_starts.iter().map(|(size, _)| size).sum();
    all - kept
}

/// Marks the foreground that is connected with `start`; returns its number of voxels.
fn visit_component(
    labels: &[u8],
    [depth, height, width]: [usize; 3],
    start: usize,
    is_visited: &mut [bool],
) -> usize {
    let around = |at: usize, edge: usize| at.saturating_sub(1)..(at + 2).min(edge);
    let mut size = 0;
    let mut waiting = vec![start];
    is_visited[start] = true;
    while let Some(at) = waiting.pop() {
        size += 1;
        let [z, y, x] = [at / (height * width), at / width % height, at % width];
        for z in around(z, depth) {
            for y in around(y, height) {
                for x in around(x, width) {
                    let neighbour = (z * height + y) * width + x;
                    if labels[neighbour] != 0 && !is_visited[neighbour] {
                        is_visited[neighbour] = true;
                        waiting.push(neighbour);
                    }
                }
            }
        }
    }
    size
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
