//! Certainty as a map of few classes: what is sure is not drawn.

use dinomed3d_volume::Label;

/// Probability in percent below which a voxel is of a class, its name and its colour.
const CLASSES: [(f64, &str, [u8; 3]); 4] = [
    (50.0, "under 50 % sure", [165, 0, 38]),
    (70.0, "50 to 70 %", [244, 109, 67]),
    (85.0, "70 to 85 %", [253, 174, 97]),
    (95.0, "85 to 95 %", [255, 237, 160]),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sure_is_not_drawn() {
        let classes = [0, 127, 128, 178, 179, 216, 217, 242, 243, 255].map(class);
        assert_eq!(classes, [1, 1, 2, 2, 3, 3, 4, 4, 0, 0]);
        assert_eq!(super::classes().len(), 4);
    }
}
