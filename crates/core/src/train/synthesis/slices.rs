//! Thick slices: what a scan of few slices shows, interpolated back to a fine grid.

/// Averages over slices of `thickness` (in voxels, from one upwards), the first of which begins at `offset` (from minus a
/// thickness to 0), and interpolates between their middles, along the axis of `[outer, axis, inner]` values.
pub fn thicken(values: &mut [f32], edge: usize, inner: usize, thickness: f32, offset: f32) {
    let count = ((edge as f32 - offset) / thickness).ceil().max(1.0) as usize;
    // A voxel reaches from its index to the next; the share of each in a slice.
    let slices: Vec<Vec<(usize, f32)>> = (0..count)
        .map(|slice| {
            let begin = (offset + slice as f32 * thickness).max(0.0);
            let end = (offset + (slice + 1) as f32 * thickness).min(edge as f32);
            let mut shares: Vec<(usize, f32)> = (begin as usize..(end.ceil() as usize).min(edge))
                .map(|voxel| {
                    let within = (end.min(voxel as f32 + 1.0) - begin.max(voxel as f32)).max(0.0);
                    (voxel, within)
                })
                .filter(|(_, share)| *share > 0.0)
                .collect();
            let total: f32 = shares.iter().map(|(_, share)| share).sum();
            shares.iter_mut().for_each(|(_, share)| *share /= total);
            shares
        })
        .filter(|shares: &Vec<_>| shares.iter().all(|(_, share)| share.is_finite()))
        .collect();
    let last = slices.len() - 1;
    let mut thick = vec![0.0f32; slices.len() * inner];
    for block in values.chunks_exact_mut(edge * inner) {
        thick.fill(0.0);
        for (slice, shares) in slices.iter().enumerate() {
            let sums = &mut thick[slice * inner..][..inner];
            for &(voxel, share) in shares {
                for (sum, value) in sums.iter_mut().zip(&block[voxel * inner..][..inner]) {
                    *sum += share * value;
                }
            }
        }
        for (voxel, values) in block.chunks_exact_mut(inner).enumerate() {
            let place = ((voxel as f32 + 0.5 - offset) / thickness - 0.5).clamp(0.0, last as f32);
            let lower = place as usize;
            let share = place - lower as f32;
            let (a, b) = (
                &thick[lower * inner..],
                &thick[(lower + 1).min(last) * inner..],
            );
            for (value, (a, b)) in values.iter_mut().zip(a.iter().zip(b)) {
                *value = (1.0 - share) * a + share * b;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_one_voxel_change_nothing() {
        let mut values: Vec<f32> = (0..24).map(|i| (i * 7 % 11) as f32).collect();
        let before = values.clone();
        thicken(&mut values, 6, 2, 1.0, 0.0);
        for (a, b) in values.iter().zip(&before) {
            assert!((a - b).abs() < 1e-5, "{values:?}");
        }
    }

    /// By hand: slices of two voxels have means 1 and 5, their middles lie at 1 and 3.
    #[test]
    fn a_thick_slice_is_the_mean_of_its_voxels() {
        let mut values = [0.0, 2.0, 4.0, 6.0];
        thicken(&mut values, 4, 1, 2.0, 0.0);
        assert_eq!(values, [1.0, 2.0, 4.0, 5.0]);
    }

    #[test]
    fn what_is_constant_stays_so_for_any_thickness() {
        for thickness in [1.0, 1.5, 2.7, 3.5, 40.0] {
            for offset in [0.0, -0.3 * thickness, -0.99 * thickness] {
                let mut values = [3.0f32; 2 * 13 * 3];
                thicken(&mut values, 13, 3, thickness, offset);
                assert!(
                    values.iter().all(|v| (v - 3.0).abs() < 1e-5),
                    "{thickness} {offset} {values:?}"
                );
            }
        }
    }
}
