//! A label: its value in label maps, its name and its colour.

use serde::{Deserialize, Serialize};

/// One label of a label map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Value in the label map; background is 0.
    pub value: u8,
    /// Name for people.
    pub name: String,
    /// Red, green, blue.
    pub color: [u8; 3],
}

impl Label {
    /// A label of which only the value is known.
    pub fn unnamed(value: u8) -> Self {
        let mut colors = palette(usize::from(value.max(1)));
        Self {
            value,
            name: format!("label {value}"),
            color: colors.pop().expect("a colour at least"),
        }
    }

    /// On which half a structure lies and what both halves of it are called, where the name says so: `left thalamus`, or
    /// FreeSurfer's own `Left-Thalamus`.
    pub fn half(&self) -> Option<(Half, &str)> {
        let (side, structure) = self.name.split_once([' ', '-', '_'])?;
        let half = match side.to_ascii_lowercase().as_str() {
            "left" => Half::Left,
            "right" => Half::Right,
            _ => return None,
        };
        (!structure.is_empty()).then_some((half, structure))
    }
}

/// A half of the body, the person's own left or right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The person's left.
    Left,
    /// The person's right.
    Right,
}

/// Without black, and from the most to the least telling on a grey scan.
///
/// Source: Okabe and Ito 2008, "Color Universal Design".
const OKABE_ITO: [[u8; 3]; 7] = [
    [86, 180, 233],
    [230, 159, 0],
    [0, 158, 115],
    [240, 228, 66],
    [204, 121, 167],
    [213, 94, 0],
    [0, 114, 178],
];

/// As many colours, which stay apart for every kind of colour vision: seven that stay apart, then the same darker, lighter and darkest, then from the beginning.
pub fn palette(count: usize) -> Vec<[u8; 3]> {
    let shade = |color: [u8; 3], towards: f32, by: f32| {
        color.map(|part| (f32::from(part) * (1.0 - by) + towards * by) as u8)
    };
    (0..count)
        .map(|place| {
            let color = OKABE_ITO[place % OKABE_ITO.len()];
            match place / OKABE_ITO.len() % 4 {
                0 => color,
                1 => shade(color, 0.0, 0.45),
                2 => shade(color, 255.0, 0.5),
                _ => shade(color, 0.0, 0.7),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_name_says_the_half_only_as_a_word_of_its_own_before_another() {
        let half = |name: &str| {
            let label = Label {
                name: name.to_owned(),
                ..Label::unnamed(1)
            };
            label.half().map(|(half, name)| (half, name.to_owned()))
        };
        let left = |name: &str| Some((Half::Left, name.to_owned()));
        assert_eq!(half("left ventral DC"), left("ventral DC"));
        assert_eq!(half("Left-Cerebral-Cortex"), left("Cerebral-Cortex"));
        assert_eq!(
            half("RIGHT_putamen"),
            Some((Half::Right, "putamen".to_owned()))
        );
        for name in [
            "brain-stem",
            "left",
            "left ",
            "leftover tissue",
            "3rd ventricle",
        ] {
            assert_eq!(half(name), None, "{name}");
        }
    }

    #[test]
    fn twenty_eight_colours_differ_and_the_first_are_the_palette_itself() {
        let colors = palette(28);
        assert_eq!(colors[..7], OKABE_ITO);
        assert_eq!(colors.iter().collect::<HashSet<_>>().len(), 28);
        assert_eq!(palette(300).len(), 300);
        assert!(palette(0).is_empty());
    }
}
