//! Overlap and volume.

use super::Presence;

/// Dice coefficient of one label in two label maps of the same grid; 1 if neither holds it.
///
/// # Panics
/// If the maps differ in size.
pub fn dice(prediction: &[u8], reference: &[u8], label: u8) -> f64 {
    Overlap::of(prediction, reference, label).dice()
}

/// Dice coefficient of the voxels of two maps of the same grid that are what is asked for, numbers of any size; 1 if there are none.
///
/// # Panics
/// If the maps differ in size.
pub fn dice_where<T: Copy>(
    prediction: &[T],
    reference: &[T],
    in_prediction: impl Fn(T) -> bool,
    in_reference: impl Fn(T) -> bool,
) -> f64 {
    Overlap::of_those(prediction, reference, in_prediction, in_reference).dice()
}

/// Voxels of one label in two label maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overlap {
    pub prediction: usize,
    pub reference: usize,
    pub both: usize,
}

impl Overlap {
    pub(super) fn of(prediction: &[u8], reference: &[u8], label: u8) -> Self {
        let is_label = |value| value == label;
        Self::of_those(prediction, reference, is_label, is_label)
    }

    fn of_those<T: Copy>(
        prediction: &[T],
        reference: &[T],
        in_prediction: impl Fn(T) -> bool,
        in_reference: impl Fn(T) -> bool,
    ) -> Self {
        assert_eq!(
            prediction.len(),
            reference.len(),
            "label maps of different grids"
        );
        let mut overlap = Self {
            prediction: 0,
            reference: 0,
            both: 0,
        };
        for (&p, &r) in prediction.iter().zip(reference) {
            let (p, r) = (usize::from(in_prediction(p)), usize::from(in_reference(r)));
            overlap.prediction += p;
            overlap.reference += r;
            overlap.both += p & r;
        }
        overlap
    }

    pub(super) fn presence(self) -> Presence {
        match (self.prediction > 0, self.reference > 0) {
            (true, true) => Presence::Both,
            (false, true) => Presence::Reference,
            (true, false) => Presence::Prediction,
            (false, false) => Presence::Neither,
        }
    }

    pub(super) fn dice(self) -> f64 {
        match self.prediction + self.reference {
            0 => 1.0,
            sum => 2.0 * self.both as f64 / sum as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 2 voxels in common, 3 and 4 in all.
    #[test]
    fn dice_is_twice_the_overlap_over_the_sum() {
        let (a, b) = ([1, 1, 1, 0, 2, 0], [0, 1, 1, 1, 1, 0]);
        assert_eq!(dice(&a, &b, 1), 4.0 / 7.0);
        assert_eq!(dice(&a, &b, 2), 0.0);
        assert_eq!(dice(&a, &b, 3), 1.0);
    }
}
