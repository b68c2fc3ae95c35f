//! Certainty as a map of few classes: what is sure is not drawn.

use dinomed3d_volume::Label;

use crate::language::certainty as said;

/// Probability in percent below which a voxel is of a class, its name and its colour.
const CLASSES: [(f64, &str, [u8; 3]); 4] = [
    (50.0, said::UNDER_50, [165, 0, 38]),
    (70.0, said::FROM_50, [244, 109, 67]),
    (85.0, said::FROM_70, [253, 174, 97]),
    (95.0, said::FROM_85, [255, 237, 160]),
];

/// The class of a probability in 255 steps; 0 of what is sure.
pub fn class(steps: u8) -> u8 {
    let percent = f64::from(steps) / 2.55;
    let class = CLASSES.iter().position(|(below, ..)| percent < *below);
    class.map_or(0, |class| class as u8 + 1)
}

/// The classes as labels.
pub fn classes() -> Vec<Label> {
    let numbered = (1..).zip(CLASSES);
    numbered
        .map(|(value, (_, name, color))| Label {
            value,
            name: name.to_owned(),
            color,
        })
        .collect()
}

/// The share of labelled voxels in each class, and last in that of what is sure; nothing where no voxel is labelled. Both are of the
/// same voxels.
pub fn shares(labels: &[u8], certainty: &[u8]) -> Option<Vec<(&'static str, f64)>> {
    let mut counts = [0_u64; CLASSES.len() + 1];
    let of_labels = labels
        .iter()
        .zip(certainty)
        .filter(|(label, _)| **label != 0);
    for (_, steps) in of_labels {
        counts[usize::from(class(*steps))] += 1;
    }
    let total: u64 = counts.iter().sum();
    let share = |count| count as f64 / total as f64;
    let [sure, unsure @ ..] = counts;
    let names = CLASSES
        .map(|(_, name, _)| name)
        .into_iter()
        .chain([said::FROM_95]);
    let shares = names.zip(unsure.into_iter().chain([sure]).map(share));
    (total > 0).then(|| shares.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sure_is_not_drawn() {
        let classes = [0, 127, 128, 178, 179, 216, 217, 242, 243, 255].map(class);
        assert_eq!(classes, [1, 1, 2, 2, 3, 3, 4, 4, 0, 0]);
        assert_eq!(super::classes().len(), 4);
    }

    #[test]
    fn shares_are_of_labelled_voxels_alone() {
        let shares = shares(&[0, 1, 1, 2, 2], &[0, 100, 255, 255, 230]).expect("some are labelled");
        assert_eq!(shares.len(), 5);
        assert_eq!(
            (shares[0].1, shares[3], shares[4]),
            (0.25, (said::FROM_85, 0.25), (said::FROM_95, 0.5))
        );
        assert_eq!(super::shares(&[0, 0], &[1, 2]), None);
    }
}
