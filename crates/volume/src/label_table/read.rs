//! Names of labels from the tables of other programs, and whose of our labels they mean.

use crate::Label;

/// The names of a table's labels by their numbers: FreeSurfer's colour table, ITK-SNAP's label descriptions, 3D Slicer's colour table
/// or a table of BIDS. Nothing if the text is none of them.
///
/// Sources: those of the functions that write them.
pub fn names(text: &str) -> Vec<(u32, String)> {
    let mut lines = text.lines().filter(|line| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    let Some(first) = lines.clone().next() else {
        return Vec::new();
    };
    let columns: Vec<&str> = first.split('\t').map(str::trim).collect();
    let column = |name: &str| columns.iter().position(|column| *column == name);
    if let (Some(index), Some(name)) = (column("index"), column("name")) {
        lines.next();
        let row = |line: &str| {
            let at = |place| line.split('\t').map(str::trim).nth(place);
            Some((at(index)?.parse().ok()?, at(name)?.to_owned()))
        };
        return lines.filter_map(row).collect();
    }
    lines.filter_map(colored).collect()
}

/// A line of a number, a name and a colour, the name in the second place or at the end within quotation marks.
fn colored(line: &str) -> Option<(u32, String)> {
    let (number, rest) = line.trim().split_once([' ', '\t'])?;
    let number = number.parse().ok()?;
    let is_color = |words: &mut dyn Iterator<Item = &str>| {
        words
            .take(3)
            .filter(|word| word.parse::<u8>().is_ok())
            .count()
            == 3
    };
    if let Some((colors, name)) = rest.split_once('"') {
        let name = name.trim_end().strip_suffix('"')?;
        return is_color(&mut colors.split_ascii_whitespace()).then(|| (number, name.to_owned()));
    }
    let mut words = rest.split_ascii_whitespace();
    let name = words.next()?;
    is_color(&mut words).then(|| (number, name.to_owned()))
}

/// Which of `labels` a name of another program means: the one whose words these are, in whatever spelling, or short for it; the side
/// must be said by both. None where two could be meant.
pub fn meant<'a>(name: &str, labels: &'a [Label]) -> Option<&'a Label> {
    let name = words(name);
    let only = |is_meant: &dyn Fn(&[String]) -> bool| {
        let mut meant = labels.iter().filter(|label| is_meant(&words(&label.name)));
        let first = meant.next()?;
        meant.next().is_none().then_some(first)
    };
    let is_same = |label: &[String]| label.concat() == name.concat();
    let is_short = |label: &[String]| {
        let pairs = || name.iter().zip(label);
        !name.is_empty()
            && name.len() <= label.len()
            && pairs().all(|(short, word)| word.starts_with(short.as_str()))
            && sided(&name) == sided(label)
    };
    only(&is_same).or_else(|| only(&is_short))
}

/// Whether a name begins with a side, and has more than it.
fn sided(words: &[String]) -> Option<bool> {
    match words.first().map(String::as_str) {
        Some("left") => Some(false),
        Some("right") => Some(true),
        _ => None,
    }
}

/// The words of a name in small letters, as far as they are ASCII's, a side first; FreeSurfer's `Left-Thalamus-Proper` and `ctx-lh-insula` among them.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_within = false;
    let mut last = ' ';
    for letter in name.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() {
            is_within = false;
        } else if is_within && !(last.is_ascii_lowercase() && letter.is_ascii_uppercase()) {
            words
                .last_mut()
                .expect("within a word")
                .push(letter.to_ascii_lowercase());
        } else {
            words.push(letter.to_ascii_lowercase().to_string());
            is_within = true;
        }
        last = letter;
    }
    words.retain(|word| word != "proper");
    for (short, side) in [
        ("lh", "left"),
        ("rh", "right"),
        ("l", "left"),
        ("r", "right"),
    ] {
        for word in words.iter_mut().filter(|word| *word == short) {
            *word = side.to_owned();
        }
    }
    if let Some(place) = words
        .iter()
        .position(|word| word == "left" || word == "right")
    {
        words[..=place].rotate_right(1);
    }
    words
}

/// Which of FreeSurfer's whole structures a number of its parcellations is a part of; none of any other number.
///
/// Source: FreeSurferColorLUT.txt: the cortex by Desikan and Killiany from 1000 (left) and 2000 (right), white matter from 3000 and
/// 4000, the cortex by Destrieux from 11100 and 12100, white matter from 13100 and 14100, white matter far from any cortex 5001 and
/// 5002.
pub fn whole_of_part(number: u32) -> Option<u8> {
    Some(match number {
        1000..=1999 | 11100..=11999 => 3,
        2000..=2999 | 12100..=12999 => 42,
        3000..=3999 | 5001 | 13100..=13999 => 2,
        4000..=4999 | 5002 | 14100..=14999 => 41,
        _ => return None,
    })
}
