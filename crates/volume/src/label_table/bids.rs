//! The lookup table beside a BIDS segmentation.

use std::collections::HashMap;
use std::fmt::Write;

use super::line;
use crate::{Half, Label};

/// A `_dseg.tsv` file: index, name, abbreviation and colour of each label, background first.
///
/// Source: BIDS, "Common image-derived labels" and the columns of `SegmentationLookup`.
pub fn dseg_tsv(labels: &[Label]) -> String {
    let mut text = "index\tname\tabbreviation\tcolor\n0\tBackground\tBG\t#000000\n".to_owned();
    for (Label { value, name, color }, short) in labels.iter().zip(abbreviations(labels)) {
        let ([r, g, b], name) = (color, line(name));
        writeln!(text, "{value}\t{name}\t{short}\t#{r:02x}{g:02x}{b:02x}")
            .expect("text takes any line");
    }
    text
}

/// A short word of letters and digits for each label, no two the same and none the background's `BG`: L or R of a half, then
/// the first letters of several words, or the first three of one. Those that would be the same end in their label's value.
pub fn abbreviations(labels: &[Label]) -> Vec<String> {
    let short: Vec<String> = labels.iter().map(abbreviation).collect();
    let mut times: HashMap<&str, usize> = HashMap::from([("BG", 1), ("", 1)]);
    for short in &short {
        *times.entry(short).or_default() += 1;
    }
    let unique = |(short, label): (&String, &Label)| match times[short.as_str()] {
        1 => short.clone(),
        // So that no number of a name is run into it.
        _ => format!("{short}x{}", label.value),
    };
    short.iter().zip(labels).map(unique).collect()
}

fn abbreviation(label: &Label) -> String {
    let (side, name) = match label.half() {
        Some((Half::Left, name)) => ("L", name),
        Some((Half::Right, name)) => ("R", name),
        None => ("", label.name.as_str()),
    };
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let is_capitals = |word: &str| word.chars().all(|letter| letter.is_ascii_uppercase());
    let capital = |word: &str, letters: usize| {
        let mut short = word[..letters.min(word.len())].to_owned();
        short[..1].make_ascii_uppercase();
        short
    };
    let short: String = match words[..] {
        [word] if is_capitals(word) => word.to_owned(),
        [word] => capital(word, 3),
        _ => words
            .iter()
            .map(|word| {
                if is_capitals(word) {
                    (*word).to_owned()
                } else {
                    capital(word, 1)
                }
            })
            .collect(),
    };
    side.to_owned() + &short
}
