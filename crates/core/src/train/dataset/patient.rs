//! Whose scan a case is: those of one patient are alike, and one that trains would flatter the score of another that
//! validates.
//!
//! A table says it, `patients.csv` beside `dataset.json`, with a line `case,patient` for each case. Where there is none, or
//! it is silent on a case, the name does, if one of its parts (`_` parts them) is `sub-X` as in BIDS, or `patient` or
//! `subject` with a number: `sub-07_ses-2_T1w` and `sub-07_ses-1_T1w` are of one patient, `patient012_frame01` and
//! `patient012_frame14` of another. Any other case is a patient of its own.

use std::collections::HashMap;
use std::path::Path;

/// Name of the table.
pub const TABLE: &str = "patients.csv";

/// The part of a case's name that names the patient; the whole name where none does.
pub(super) fn patient_in(name: &str) -> &str {
    let names_one = |part: &&str| {
        let lower = part.to_ascii_lowercase();
        let numbered = |word: &str| {
            let number = lower
                .strip_prefix(word)
                .map(|rest| rest.trim_start_matches('-'));
            number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
        };
        lower
            .strip_prefix("sub-")
            .is_some_and(|label| !label.is_empty())
            || numbered("patient")
            || numbered("subject")
    };
    name.split('_').find(names_one).unwrap_or(name)
}

/// The patients of cases by name, as the table in `folder` says; empty if there is none.
///
/// # Errors
/// A sentence: a table that cannot be read, a line of another form, a case that is named twice.
pub(super) fn read_table(folder: &Path) -> Result<HashMap<String, String>, String> {
    let path = folder.join(TABLE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let problem = |number: usize, found: &str| {
        format!(
            "{}: line {} is {found:?}, expected is a case and its patient, each case once, below the line case,patient",
            path.display(),
            number + 1
        )
    };
    let mut patients = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let mut cells = line.split(',').map(str::trim);
        match (cells.next(), cells.next(), cells.next()) {
            (Some("case"), Some("patient"), None) if number == 0 => {}
            (Some(""), None, None) => {}
            (Some(case), Some(patient), None)
                if number > 0 && !case.is_empty() && !patient.is_empty() =>
            {
                if patients
                    .insert(case.to_owned(), patient.to_owned())
                    .is_some()
                {
                    return Err(problem(number, line));
                }
            }
            _ => return Err(problem(number, line)),
        }
    }
    Ok(patients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_name_patients() {
        for (name, patient) in [
            ("sub-07_ses-1_T1w", "sub-07"),
            ("study_sub-A7_run-2", "sub-A7"),
            ("patient012_frame01", "patient012"),
            ("Subject-3_left", "Subject-3"),
            ("hippocampus_001", "hippocampus_001"),
            ("patients_01", "patients_01"),
            ("sub-_1", "sub-_1"),
        ] {
            assert_eq!(patient_in(name), patient);
        }
    }
}
