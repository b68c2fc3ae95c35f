//! Each file is read back as its program reads it.

use super::*;
use crate::Label;

fn labels() -> Vec<Label> {
    let named = |value: u8, name: &str, color: [u8; 3]| Label {
        value,
        name: name.to_owned(),
        color,
    };
    vec![
        named(3, "left cerebral cortex", [205, 62, 78]),
        named(4, "Left-Lateral-Ventricle", [0, 9, 134]),
        named(8, "left cerebellum cortex", [230, 148, 34]),
        named(14, "3rd ventricle", [204, 182, 142]),
        named(24, "CSF", [1, 1, 1]),
        named(53, "right hippocampus", [220, 216, 20]),
        named(60, "right ventral DC", [165, 42, 42]),
        named(200, "'tract'\t\"A\"\nä", [10, 0, 255]),
        named(255, "", [0, 0, 1]),
    ]
}

type Row = (u8, String, [u8; 3]);

fn rows(name: impl Fn(&str) -> String) -> Vec<Row> {
    labels()
        .into_iter()
        .map(|label| (label.value, name(&label.name), label.color))
        .collect()
}

fn numbers<T: std::str::FromStr>(words: &[&str]) -> Vec<T> {
    words
        .iter()
        .map(|word| word.parse().ok().unwrap_or_else(|| panic!("{word}")))
        .collect()
}

/// `LoadFromFile`: blank lines and comments are passed over; seven numbers, then all between two quotation marks.
#[test]
fn itk_snap_reads_its_labels() {
    let mut found = Vec::new();
    for text in label_descriptions(&labels()).lines() {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (before, name) = text.split_once('"').unwrap();
        let (name, after) = name.split_once('"').unwrap();
        assert_eq!(after, "");
        let words: Vec<&str> = before.split_whitespace().collect();
        let &[value, r, g, b] = &numbers::<u8>(&words[..4])[..] else {
            panic!()
        };
        let shown: Vec<f32> = numbers(&words[4..]);
        assert_eq!(shown, if value == 0 { [0.0; 3] } else { [1.0; 3] });
        found.push((value, name.to_owned(), [r, g, b]));
    }
    assert_eq!(found.remove(0), (0, "Clear Label".to_owned(), [0; 3]));
    assert_eq!(found, rows(line));
}

/// `sscanf("%d %s %d %d %d %d")` takes a line whole or passes over it; transparency 0 is what hides nothing.
#[test]
fn freesurfer_reads_its_labels() {
    let mut found = Vec::new();
    for text in color_lut(&labels()).lines() {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words[0].parse::<i32>().is_err() {
            continue;
        }
        let [value, name, colors @ ..] = &words[..] else {
            panic!("{text}")
        };
        let &[r, g, b, transparency] = &numbers::<u8>(colors)[..] else {
            panic!("{text}")
        };
        assert_eq!(transparency, 0);
        found.push((value.parse().unwrap(), (*name).to_owned(), [r, g, b]));
    }
    assert_eq!(found.remove(0), (0, "Unknown".to_owned(), [0; 3]));
    assert_eq!(found, rows(word));
}

/// Comments and empty lines are passed over; names lose ticks; a table without any part above 1 is taken for a mistake.
#[test]
fn slicer_reads_its_labels() {
    let text = color_table(&labels());
    assert!(text.starts_with("# Color table file"));
    assert_eq!(text.lines().nth(1), Some("# 10 values"));
    let mut found = Vec::new();
    for text in text
        .lines()
        .filter(|text| !text.is_empty() && !text.starts_with('#'))
    {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [value, name, colors @ ..] = &words[..] else {
            panic!("{text}")
        };
        let &[r, g, b, opacity] = &numbers::<u8>(colors)[..] else {
            panic!("{text}")
        };
        assert_eq!(opacity, if *value == "0" { 0 } else { 255 });
        assert!(!name.contains('\''));
        found.push((value.parse().unwrap(), (*name).to_owned(), [r, g, b]));
    }
    assert_eq!(found.remove(0), (0, "Background".to_owned(), [0; 3]));
    assert_eq!(found, rows(|name| word(&name.replace(['\'', '"'], ""))));
}

#[test]
fn bids_reads_its_labels() {
    let text = dseg_tsv(&labels());
    let mut table = text
        .lines()
        .map(|text| text.split('\t').collect::<Vec<_>>());
    assert_eq!(
        table.next().unwrap(),
        ["index", "name", "abbreviation", "color"]
    );
    let mut found = Vec::new();
    let mut short = Vec::new();
    for row in table {
        let &[index, name, abbreviation, color] = &row[..] else {
            panic!("{row:?}")
        };
        let digits = color.strip_prefix('#').unwrap();
        assert_eq!(digits.len(), 6);
        let part = |i: usize| u8::from_str_radix(&digits[2 * i..][..2], 16).unwrap();
        found.push((index.parse().unwrap(), name.to_owned(), [0, 1, 2].map(part)));
        short.push(abbreviation.to_owned());
    }
    assert_eq!(found.remove(0), (0, "Background".to_owned(), [0; 3]));
    assert_eq!(found, rows(line));
    let expected = [
        "BG", "LCCx3", "LLV", "LCCx8", "3V", "CSF", "RHip", "RVDC", "TA", "x255",
    ];
    assert_eq!(short, expected);
}

#[test]
fn abbreviations_are_one_word_each_and_differ() {
    let labels: Vec<Label> = (1..=255u8).map(Label::unnamed).collect();
    let mut short = abbreviations(&labels);
    assert!(
        short
            .iter()
            .flat_map(|short| short.chars())
            .all(|c| c.is_ascii_alphanumeric())
    );
    short.sort();
    short.dedup();
    assert_eq!(short.len(), 255);
    assert!(!short.contains(&"BG".to_owned()));
}

#[test]
fn names_are_kept_but_for_what_a_format_cannot_hold() {
    assert_eq!(line("'tract'\t\"A\"\nä"), "'tract' 'A' ä");
    assert_eq!(word("left  cerebral cortex "), "left_cerebral_cortex");
    // Without a letter between its quotation marks, ITK-SNAP refuses the file.
    assert_eq!(
        (line(""), word(" \n")),
        ("unnamed".to_owned(), "unnamed".to_owned())
    );
    let ticks = Label {
        name: "'\"'".to_owned(),
        ..Label::unnamed(1)
    };
    assert!(color_table(&[ticks]).ends_with("\n1 unnamed 86 180 233 255\n"));
}

#[test]
fn names_are_read_from_every_table_that_is_written() {
    let tables = [
        color_lut(&labels()),
        label_descriptions(&labels()),
        color_table(&labels()),
        dseg_tsv(&labels()),
    ];
    for table in tables {
        let found = names(&table);
        let numbers: Vec<u32> = found.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [0, 3, 4, 8, 14, 24, 53, 60, 200, 255], "{table}");
        for ((_, name), label) in found[1..7].iter().zip(labels()) {
            assert_eq!(meant(name, &labels()), Some(&label), "{name}");
        }
    }
    for text in [
        "",
        "# nothing",
        "a\nb c",
        "1 2 3\n",
        "1,2,3",
        "case\tdice\n1\t2",
    ] {
        assert_eq!(names(text), [], "{text}");
    }
}

/// FreeSurfer's own names, by our names of the model of heads.
#[test]
fn names_of_freesurfer_mean_what_the_model_of_heads_calls_them() {
    let both = [
        ("cerebral white matter", "Cerebral-White-Matter"),
        ("cerebral cortex", "Cerebral-Cortex"),
        ("lateral ventricle", "Lateral-Ventricle"),
        ("inferior lateral ventricle", "Inf-Lat-Vent"),
        ("cerebellum white matter", "Cerebellum-White-Matter"),
        ("cerebellum cortex", "Cerebellum-Cortex"),
        ("thalamus", "Thalamus-Proper"),
        ("caudate", "Caudate"),
        ("putamen", "Putamen"),
        ("pallidum", "Pallidum"),
        ("hippocampus", "Hippocampus"),
        ("amygdala", "Amygdala"),
        ("accumbens area", "Accumbens-area"),
        ("ventral DC", "VentralDC"),
    ];
    let middle = [
        ("3rd ventricle", "3rd-Ventricle"),
        ("4th ventricle", "4th-Ventricle"),
        ("brain-stem", "Brain-Stem"),
        ("CSF around the brain", "CSF"),
    ];
    let sided = |side: &'static str, other: &'static str| {
        let named = move |(ours, theirs)| (format!("{side} {ours}"), format!("{other}-{theirs}"));
        both.into_iter().map(named)
    };
    let middle = middle.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned()));
    let pairs = sided("left", "Left").chain(sided("right", "Right"));
    let pairs: Vec<(String, String)> = pairs.chain(middle).collect();
    let named = |(value, (name, _)): (u8, &(String, String))| Label {
        name: name.clone(),
        ..Label::unnamed(value)
    };
    let labels: Vec<Label> = (1..).zip(&pairs).map(named).collect();
    for (label, (_, theirs)) in labels.iter().zip(&pairs) {
        assert_eq!(meant(theirs, &labels), Some(label), "{theirs}");
    }
    let other = [
        ("L_Hippocampus", Some("left hippocampus")),
        ("hippocampus_rh", Some("right hippocampus")),
        ("Hippocampus", None),
        ("Left", None),
        ("Left-Cerebral", None),
        ("Left-Vessel", None),
        ("Optic-Chiasm", None),
        ("", None),
    ];
    for (name, expected) in other {
        let found = meant(name, &labels).map(|label| label.name.as_str());
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_number_of_a_parcellation_is_a_part_of_a_whole() {
    let parts = [
        1035, 2000, 3001, 4035, 5001, 5002, 11175, 12101, 13100, 14175,
    ];
    let wholes = parts.map(|number| whole_of_part(number).unwrap());
    assert_eq!(wholes, [3, 42, 2, 41, 2, 41, 3, 42, 2, 41]);
    assert_eq!([17, 251, 999, 5003, 9000].map(whole_of_part), [None; 5]);
}
