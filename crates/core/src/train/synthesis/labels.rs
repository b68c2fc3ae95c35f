//! The table of a folder of label maps: what its values mean.

use crate::train::TrainError;
use std::collections::BTreeMap;
use std::path::Path;

/// File name of the table.
pub const TABLE_FILE: &str = "labels.tsv";

/// What a value of a label map means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRow {
    /// In the label maps.
    pub value: u16,
    /// For people.
    pub name: String,
    /// What a network should answer there; 0 is background.
    pub target: u8,
    /// Values of one class share their intensity law.
    pub tissue: usize,
    /// The value of the same structure on the other side of the body.
    pub other_side: Option<u16>,
}

/// The rows of a table, in its order; a row's place is what [`super::SourceMap`] holds for each voxel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelTable {
    rows: Vec<LabelRow>,
}

impl LabelTable {
    /// Reads `labels.tsv` of `folder`: columns `value`, `name`, `target`, `intensity_class` and `other_side`, parted by
    /// tabs, in any order; others are passed over. The two sides of a structure are one tissue, whatever their classes.
    ///
    /// # Errors
    /// [`TrainError::File`], or [`TrainError::Data`] with a line for each problem.
    pub fn read(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(TABLE_FILE);
        let text = std::fs::read_to_string(&path).map_err(|cause| TrainError::File {
            path: path.clone(),
            cause,
        })?;
        Self::parse(&text).map_err(|problems| {
            let in_file = |problem| format!("{}: {problem}", path.display());
            TrainError::Data(problems.into_iter().map(in_file).collect())
        })
    }

    /// See [`LabelTable::read`].
    ///
    /// # Errors
    /// A sentence for each problem.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut lines = text.lines().enumerate();
        let header: Vec<&str> = match lines.next() {
            Some((_, line)) => line.split('\t').map(str::trim).collect(),
            None => return Err(vec!["the table is empty".into()]),
        };
        let column = |name: &str| {
            let place = header.iter().position(|known| *known == name);
            place.ok_or_else(|| format!("it has no column {name:?}; its columns are {header:?}"))
        };
        let columns = ["value", "name", "target", "intensity_class", "other_side"].map(column);
        let problems: Vec<String> = columns.iter().filter_map(|c| c.clone().err()).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let [value, name, target, tissue, other_side] =
            columns.map(|column| column.expect("no column is missing"));

        let mut rows: Vec<LabelRow> = Vec::new();
        let mut problems = Vec::new();
        for (number, line) in lines {
            if line.trim().is_empty() {
                continue;
            }
            let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
            let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
            let in_line = |what: &str, found: &str, expected: &str| {
                format!(
                    "line {}: {what} is {found:?}, expected is {expected}",
                    number + 1
                )
            };
            let whole = |what: &str, place: usize, most: u16| {
                let number = cell(place).parse::<u16>().ok();
                number.filter(|n| *n <= most).ok_or_else(|| {
                    in_line(what, cell(place), &format!("a whole number up to {most}"))
                })
            };
            let row = || -> Result<LabelRow, String> {
                Ok(LabelRow {
                    value: whole("value", value, u16::MAX)?,
                    name: cell(name).to_owned(),
                    target: whole("target", target, 254)? as u8,
                    tissue: usize::from(whole("intensity_class", tissue, u16::MAX)?),
                    other_side: match cell(other_side) {
                        "" => None,
                        _ => Some(whole("other_side", other_side, u16::MAX)?),
                    },
                })
            };
            match row() {
                Ok(row) if rows.iter().any(|known| known.value == row.value) => {
                    problems.push(format!(
                        "line {}: value {} stands twice",
                        number + 1,
                        row.value
                    ));
                }
                Ok(row) => rows.push(row),
                Err(problem) => problems.push(problem),
            }
        }
        for row in &rows {
            let Some(other) = row.other_side else {
                continue;
            };
            let back = rows
                .iter()
                .find(|r| r.value == other)
                .and_then(|r| r.other_side);
            if back != Some(row.value) {
                problems.push(format!(
                    "value {} has {other} on its other side, which has {} there; expected is {}",
                    row.value,
                    back.map_or("nothing".into(), |value| value.to_string()),
                    row.value
                ));
            }
        }
        if !rows.iter().any(|row| row.value == 0 && row.target == 0) {
            problems.push("it has no value 0 of target 0, the air around".into());
        }
        if rows.len() > 256 {
            problems.push(format!(
                "it has {} values, expected are at most 256",
                rows.len()
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let tissues: BTreeMap<u16, usize> = rows.iter().map(|r| (r.value, r.tissue)).collect();
        for row in &mut rows {
            if let Some(other) = row.other_side {
                row.tissue = row.tissue.min(tissues[&other]);
            }
        }
        Ok(Self { rows })
    }

    /// The rows.
    pub fn rows(&self) -> &[LabelRow] {
        &self.rows
    }

    /// The place of the air around, of value 0.
    pub fn air(&self) -> usize {
        self.place(0).expect("a table has a row for value 0")
    }

    /// The place of a value.
    pub fn place(&self, value: u16) -> Option<usize> {
        self.rows.iter().position(|row| row.value == value)
    }

    /// The place of the other side of the row at `place`; of what has no sides, itself.
    pub fn mirrored(&self, place: usize) -> usize {
        let other = self.rows[place].other_side;
        other.and_then(|value| self.place(value)).unwrap_or(place)
    }

    /// What a network answers where the row at `place` is, and, with merged sides, the same for both: the smaller target.
    pub fn target(&self, place: usize, merge_sides: bool) -> u8 {
        let target = self.rows[place].target;
        if merge_sides {
            target.min(self.rows[self.mirrored(place)].target)
        } else {
            target
        }
    }

    /// Value and name of every target, background first.
    pub fn targets(&self, merge_sides: bool) -> Vec<(u8, String)> {
        let mut targets = BTreeMap::new();
        for place in 0..self.rows.len() {
            let target = self.target(place, merge_sides);
            // What a target is called is said by the value of the same number; lesions count as white matter.
            let named = self.rows.iter().find(|row| row.value == u16::from(target));
            let name = named.map_or_else(|| format!("label {target}"), |row| row.name.clone());
            let name = match name.split_once(' ') {
                Some(("left" | "Left", rest)) if merge_sides => rest.to_owned(),
                _ => name,
            };
            targets.insert(target, name);
        }
        targets.insert(0, "background".into());
        targets.into_iter().collect()
    }

    /// Targets that are one structure on two sides, the one that stands for both first.
    pub fn sides(&self) -> Vec<[u8; 2]> {
        let mut sides = BTreeMap::new();
        for place in 0..self.rows.len() {
            let [own, other] = [place, self.mirrored(place)].map(|p| self.rows[p].target);
            if own != other && self.rows[place].value == u16::from(own) {
                sides.insert(own.min(other), own.max(other));
            }
        }
        sides.into_iter().map(|(one, two)| [one, two]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "value\tname\ttarget\tintensity_class\tother_side\n\
        0\tbackground\t0\t0\t\n2\tleft white matter\t2\t18\t41\n41\tright white matter\t41\t33\t2\n\
        25\tleft lesion\t2\t28\t57\n57\tright lesion\t41\t28\t25\n16\tbrain-stem\t16\t3\t\n507\tfat\t0\t9\t\n";

    #[test]
    fn sides_are_one_tissue_and_may_be_one_class() {
        let table = LabelTable::parse(TABLE).unwrap();
        let left = table.place(2).unwrap();
        let right = table.place(41).unwrap();
        assert_eq!(table.mirrored(left), right);
        assert_eq!(table.rows()[left].tissue, table.rows()[right].tissue);
        assert_eq!(table.sides(), [[2, 41]]);
        let names = |merged| -> Vec<(u8, String)> { table.targets(merged) };
        let row = |value, name: &str| (value, name.to_owned());
        assert_eq!(
            names(true),
            [
                row(0, "background"),
                row(2, "white matter"),
                row(16, "brain-stem")
            ]
        );
        assert_eq!(
            names(false),
            [
                row(0, "background"),
                row(2, "left white matter"),
                row(16, "brain-stem"),
                row(41, "right white matter")
            ]
        );
        assert_eq!(table.target(table.place(57).unwrap(), true), 2);
        assert_eq!(table.target(table.place(57).unwrap(), false), 41);
    }

    #[test]
    fn all_problems_are_said_with_their_lines() {
        let broken = TABLE
            .replace("2\t18\t41", "900\t18\t42")
            .replace("0\tbackground\t0", "1\tair\t0");
        let problems = LabelTable::parse(&broken).unwrap_err().join("\n");
        for part in ["line 3", "900", "up to 254", "no value 0"] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
        let error = LabelTable::parse("value\tname\n").unwrap_err().join("\n");
        assert!(error.contains("other_side"), "{error}");
    }
}
