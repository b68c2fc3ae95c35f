//! Volumes of many scans in one table, from the tables of each.

use crate::delimited::tab_separated;
use std::collections::HashMap;

/// The table of one scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanTable {
    /// What the scan is called: its files' names without the end, a folder before it.
    pub scan: String,
    /// What [`crate::volumetry::tsv`] wrote of it.
    pub text: String,
}

/// A table of one scan that is none.
#[derive(Debug, thiserror::Error)]
#[error("the table of {scan} is none of volumes: {problem}")]
pub struct TableError {
    /// Which scan.
    scan: String,
    /// What is wrong, and what was expected.
    problem: String,
}

/// A row a scan, a column a structure and side, mL: tab-separated, `n/a` where a scan's model does not know the structure.
///
/// Scans that are all named as in BIDS have columns of participant and session too. Columns are in the order in which
/// structures are met first.
///
/// # Errors
/// [`TableError`] for a table without the columns of volumes, or a row without their number of cells.
pub fn group_tsv(tables: &[ScanTable]) -> Result<String, TableError> {
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<HashMap<String, &str>> = Vec::new();
    for table in tables {
        let volumes = volumes(table)?;
        for (column, _) in &volumes {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        rows.push(volumes.into_iter().collect());
    }
    let entities = |table: &ScanTable| {
        let name = table.scan.rsplit('/').next().unwrap_or_default();
        Some((entity(name, "sub")?, entity(name, "ses")))
    };
    let bids: Option<Vec<_>> = tables.iter().map(entities).collect();
    let mut text = String::new();
    if bids.is_some() {
        text += "participant_id\tsession_id\t";
    }
    text += &format!("scan\t{}\n", columns.join("\t"));
    for (index, (table, row)) in tables.iter().zip(&rows).enumerate() {
        let mut cells = Vec::new();
        if let Some(bids) = &bids {
            let (participant, session) = &bids[index];
            cells.extend([participant, session.as_deref().unwrap_or("n/a")]);
        }
        cells.push(&table.scan);
        let volume = |column| row.get(column).copied().unwrap_or("n/a");
        cells.extend(columns.iter().map(volume));
        text += &tab_separated(cells);
    }
    Ok(text)
}

/// `sub-01` of `sub-01_ses-1`.
fn entity(name: &str, key: &str) -> Option<String> {
    let is_it = |word: &&str| {
        word.strip_prefix(key)
            .is_some_and(|rest| rest.starts_with('-'))
    };
    name.split('_').find(is_it).map(str::to_owned)
}

/// Column and cell of each structure, or of its sides.
fn volumes(table: &ScanTable) -> Result<Vec<(String, &str)>, TableError> {
    let error = |problem: String| TableError {
        scan: table.scan.clone(),
        problem,
    };
    let mut lines = table.text.lines().map(|line| line.split('\t').collect());
    let head: Vec<&str> = lines.next().unwrap_or_default();
    let place = |name: &str| {
        let found = head.iter().position(|column| *column == name);
        found.ok_or_else(|| error(format!("it has no column {name}, but {}", head.join(", "))))
    };
    let (structure, both) = (place("structure")?, place("both_ml")?);
    let sides = [("left", place("left_ml")?), ("right", place("right_ml")?)];
    let mut volumes = Vec::new();
    for row in lines {
        if row.len() != head.len() {
            let (found, expected) = (row.len(), head.len());
            return Err(error(format!(
                "a row has {found} cells, expected are {expected}"
            )));
        }
        let name = column_name(row[structure]);
        let is_paired = sides.iter().all(|(_, at)| row[*at] != "n/a");
        if is_paired {
            volumes.extend(sides.map(|(side, at)| (format!("{side}_{name}_ml"), row[at])));
        } else {
            volumes.push((format!("{name}_ml"), row[both]));
        }
    }
    Ok(volumes)
}

/// In small letters, words joined by `_`.
fn column_name(structure: &str) -> String {
    let words = structure.split(|letter: char| !letter.is_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Label;
    use crate::volumetry::{label_sizes, structure_sizes, tsv};

    fn table(scan: &str, labels: &[(u8, &str)], map: &[u8]) -> ScanTable {
        let label = |(value, name): &(u8, &str)| Label {
            name: (*name).to_owned(),
            ..Label::unnamed(*value)
        };
        let labels: Vec<Label> = labels.iter().map(label).collect();
        let sizes = label_sizes(map, &labels, 0.5);
        ScanTable {
            scan: scan.to_owned(),
            text: tsv(&structure_sizes(&labels, &sizes)),
        }
    }

    /// A tab would move every volume under another structure's name.
    #[test]
    fn what_parts_cells_in_a_scan_s_name_parts_none() {
        let pair = [(17, "left hippocampus"), (53, "right hippocampus")];
        for name in ["a\tb", "a\nb", "a\rb"] {
            let text = group_tsv(&[table(name, &pair, &[17, 17, 53])]).unwrap();
            let rows: Vec<&str> = text.lines().skip(1).collect();
            assert_eq!(rows, ["a b\t1\t0.5"], "{name:?}");
        }
        let text = group_tsv(&[table("sub-1\t2_T1w", &pair, &[17])]).unwrap();
        let widths = text.lines().map(|row| row.split('\t').count());
        assert_eq!(widths.collect::<Vec<_>>(), [5, 5]);
    }

    #[test]
    fn scans_are_rows_and_structures_columns_whoever_knows_them() {
        let pair = [(17, "left hippocampus"), (53, "right hippocampus")];
        let tables = [
            table("a/sub-1_ses-2", &pair, &[17, 17, 53]),
            table("a/sub-2", &[(16, "brain-stem")], &[16]),
        ];
        let text = group_tsv(&tables).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|row| row.split('\t').collect()).collect();
        assert_eq!(
            rows,
            [
                vec![
                    "participant_id",
                    "session_id",
                    "scan",
                    "left_hippocampus_ml",
                    "right_hippocampus_ml",
                    "brain_stem_ml"
                ],
                vec!["sub-1", "ses-2", "a/sub-1_ses-2", "1", "0.5", "n/a"],
                vec!["sub-2", "n/a", "a/sub-2", "n/a", "n/a", "0.5"],
            ]
        );
        let tables = [table("head", &pair, &[17]), tables[1].clone()];
        assert!(group_tsv(&tables).unwrap().starts_with("scan\tleft_"));
    }

    #[test]
    fn another_table_is_named() {
        for (text, problem) in [
            ("index\tname\n1\ta\n", "no column structure"),
            (
                "structure\tleft_ml\tright_ml\tboth_ml\na\t1\n",
                "a row has 2 cells, expected are 4",
            ),
            ("", "no column structure"),
        ] {
            let table = ScanTable {
                scan: "head".to_owned(),
                text: text.to_owned(),
            };
            let error = group_tsv(&[table]).unwrap_err().to_string();
            assert!(error.contains("head") && error.contains(problem), "{error}");
        }
    }
}
