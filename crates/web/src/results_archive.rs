//! The results of a list as one zip.

use std::collections::HashSet;

use dinomed3d_volume::delimited::quoted;
use dinomed3d_volume::derivative::{ScanTable, group_tsv};
use dinomed3d_volume::volumetry::{self, structure_sizes};

use crate::archive::Archive;
use crate::words;
use crate::work::Outcome;

/// File name of the zip.
pub const NAME: &str = "segmentations.zip";

/// Of each scan its label map, as DICOM-SEG too where it came as DICOM, and its volumes; and one table of the volumes of all. Names
/// that would be the same are numbered.
///
/// # Errors
/// Where there is no memory for it.
pub fn pack<B>(
    outcomes: &[impl AsRef<Outcome<B>>],
    bytes: impl Fn(&B) -> Vec<u8>,
) -> Result<Vec<u8>, String> {
    let outcomes: Vec<&Outcome<B>> = outcomes.iter().map(AsRef::as_ref).collect();
    let stems = stems(&outcomes);
    let mut archive = Archive::new(0)?;
    for (stem, outcome) in stems.iter().zip(&outcomes) {
        let name = format!("{stem}{}", words::LABEL_MAP);
        archive.add(&name, &bytes(&outcome.bytes))?;
        if let Some(seg) = &outcome.seg {
            archive.add(&words::seg_name(&name), &bytes(seg))?;
        }
        let sizes = structure_sizes(&outcome.labels, &outcome.statistics);
        let volumes = volumetry::csv(&sizes);
        archive.add(&format!("{stem}_volumes.csv"), &for_spreadsheets(&volumes))?;
    }
    archive.add("volumes.csv", &for_spreadsheets(&table(&stems, &outcomes)))?;
    archive.finish()
}

/// What the files of each result begin with; some file systems do not tell capitals from small letters.
fn stems<B>(outcomes: &[&Outcome<B>]) -> Vec<String> {
    let mut taken = HashSet::new();
    let unique = |outcome: &&Outcome<B>| {
        let stem = words::result_stem(&outcome.name);
        let numbered = (2..).map(|number| format!("{stem}-{number}"));
        let mut candidates = std::iter::once(stem.to_owned()).chain(numbered);
        candidates
            .find(|stem| taken.insert(stem.to_lowercase()))
            .expect("there is no end of them")
    };
    outcomes.iter().map(unique).collect()
}

/// The row of one result in the table of all.
pub fn row<B>(outcome: &Outcome<B>) -> String {
    table(&stems(&[outcome]), &[outcome])
}

/// The command line's table of volumes, with the model of each scan and what a reader should know; what a scan has not is an empty field.
///
/// Source: RFC 4180, so lines end in CR LF.
fn table<B>(stems: &[String], outcomes: &[&Outcome<B>]) -> String {
    let of_scan = |(stem, outcome): (&String, &&Outcome<B>)| ScanTable {
        scan: stem.clone(),
        text: volumetry::tsv(&structure_sizes(&outcome.labels, &outcome.statistics)),
    };
    let tables: Vec<ScanTable> = stems.iter().zip(outcomes).map(of_scan).collect();
    let table = group_tsv(&tables).expect("tables that were written by the same program");
    let more = outcomes
        .iter()
        .map(|outcome| [outcome.model.clone(), outcome.warnings.join(" ")]);
    let heads = ["model", "warnings"].map(str::to_owned);
    let rows = table.lines().zip(std::iter::once(heads).chain(more));
    rows.map(|(row, more)| line(row.split('\t').chain(more.iter().map(String::as_str))))
        .collect()
}

/// A table as a file: spreadsheets take one for UTF-8 only where its first character says so, which others may stumble over and need
/// not see where all is ASCII.
pub fn for_spreadsheets(csv: &str) -> Vec<u8> {
    let mark = if csv.is_ascii() { "" } else { "\u{feff}" };
    [mark, csv].concat().into_bytes()
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let field = |cell: &str| match cell {
        "n/a" => String::new(),
        _ => quoted(cell),
    };
    cells.map(field).collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::rc::Rc;

    use dinomed3d_volume::Label;
    use dinomed3d_volume::dicom::zip_entries;
    use dinomed3d_volume::volumetry::LabelSize;

    use super::*;

    fn outcome(name: &str, model: &str, labels: &[(u8, &str, f64)]) -> Rc<Outcome<&'static str>> {
        Rc::new(Outcome {
            name: name.to_owned(),
            bytes: "map",
            seg: (model == "a").then_some("seg"),
            labels: labels
                .iter()
                .map(|(value, name, _)| Label {
                    name: (*name).to_owned(),
                    ..Label::unnamed(*value)
                })
                .collect(),
            statistics: labels
                .iter()
                .map(|&(value, _, volume_ml)| LabelSize {
                    value,
                    voxels: 1,
                    volume_ml,
                })
                .collect(),
            warnings: Vec::new(),
            closer: Vec::new(),
            model: model.to_owned(),
            given: Vec::new(),
            made_by: None,
            looked_closer: Vec::new(),
            looked_from: None,
            backend: None,
            millis: 1.0,
            mended_from: None,
            learnt_from: None,
        })
    }

    #[test]
    fn names_are_read_by_a_spreadsheet_as_they_are() {
        let of = |name: &str| row(&*outcome(name, "a", &[(1, "front", 1.5)]));
        let plain = of("t1_dseg.nii.gz");
        assert_eq!(for_spreadsheets(&plain), plain.as_bytes());
        let named = of("=Käthe_dseg.nii.gz");
        assert!(named.contains("\r\n'=Käthe,"), "{named}");
        assert_eq!(for_spreadsheets(&named)[..3], [0xef, 0xbb, 0xbf]);
    }

    #[test]
    fn what_a_person_has_changed_is_named_so_in_every_file_of_it() {
        let found = outcome("t1_dseg.nii.gz", "a", &[(1, "front", 1.5)]);
        let statistics = vec![LabelSize {
            value: 1,
            voxels: 2,
            volume_ml: 2.5,
        }];
        let mended = Rc::new(found.mended("mended", statistics));
        let zip = pack(&[mended], |bytes| bytes.as_bytes().to_vec()).expect("there is memory");
        let entries = zip_entries(zip.into()).expect("a zip");
        let names: Vec<&str> = entries.iter().map(|entry| entry.name()).collect();
        let stem = "t1_desc-mended";
        let files = ["_dseg.nii.gz", "_volumes.csv"].map(|end| format!("{stem}{end}"));
        assert_eq!(names, [&*files[0], &files[1], "volumes.csv"]);
        let mut table = String::new();
        entries[2]
            .open()
            .unwrap()
            .read_to_string(&mut table)
            .unwrap();
        assert_eq!(
            table,
            "scan,front_ml,model,warnings\r\nt1_desc-mended,2.5,a,\r\n"
        );
    }

    #[test]
    fn every_result_is_in_the_zip_under_a_name_of_its_own_and_in_one_table() {
        let outcomes = [
            outcome(
                "t1_dseg.nii.gz",
                "a",
                &[(1, "left, front", 1.5), (2, "back", 2.0)],
            ),
            outcome("T1_dseg.nii.gz", "b", &[(7, "back", 3.25)]),
            outcome("t1-2_dseg.nii.gz", "b", &[]),
            outcome("x, y_dseg.nii.gz", "b", &[]),
        ];
        let zip = pack(&outcomes, |bytes| bytes.as_bytes().to_vec()).expect("there is memory");
        let files: Vec<(String, String)> = zip_entries(zip.into())
            .expect("a zip")
            .iter()
            .map(|entry| {
                let mut text = String::new();
                entry.open().unwrap().read_to_string(&mut text).unwrap();
                (entry.name().to_owned(), text)
            })
            .collect();
        let names: Vec<&str> = files.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            names,
            [
                "t1_dseg.nii.gz",
                "t1_seg.dcm",
                "t1_volumes.csv",
                "T1-2_dseg.nii.gz",
                "T1-2_volumes.csv",
                "t1-2-2_dseg.nii.gz",
                "t1-2-2_volumes.csv",
                "x, y_dseg.nii.gz",
                "x, y_volumes.csv",
                "volumes.csv",
            ]
        );
        let text = |name: &str| &files.iter().find(|(found, _)| found == name).unwrap().1;
        assert_eq!(
            (&**text("t1_dseg.nii.gz"), &**text("t1_seg.dcm")),
            ("map", "seg")
        );
        assert!(text("T1-2_volumes.csv").contains("Back,7,"));
        assert_eq!(
            text("volumes.csv"),
            "scan,left_front_ml,back_ml,model,warnings\r\nt1,1.5,2,a,\r\nT1-2,,3.25,b,\r\nt1-2-2,,,b,\r\n\"x, y\",,,b,\r\n"
        );
    }
}
