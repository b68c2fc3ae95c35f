//! Which cases of a data set a model is scored on: those that its own manifest says were held out.

use super::ResultsError;
use crate::manifest::TrainingFacts;
use crate::train::dataset::case_split::unknown_to;
use crate::train::dataset::files::first_few;
use crate::train::dataset::{CaseSplit, DatasetIndex, HeldOut};
use crate::train::recipe::Split;
use std::collections::HashSet;

/// Cases to score a model on.
#[derive(Debug)]
pub struct ModelCases {
    /// Them.
    pub held_out: HeldOut,
    /// What a person should know of them, a sentence each.
    pub notes: Vec<String>,
    /// What of the data set takes no part, and why: a sentence each.
    pub passed_over: Vec<String>,
}

impl ModelCases {
    /// The cases that `rule` holds out or, without one, those that the manifest names. Of data that hold none of these, which
    /// are others than the model's, every fifth.
    ///
    /// # Errors
    /// A case that the manifest names and the data lack.
    pub fn of(
        training: &TrainingFacts,
        index: &DatasetIndex,
        rule: Option<Split>,
    ) -> Result<Self, ResultsError> {
        let own = CaseSplit {
            train: training.training_cases.clone(),
            val: training.validation_cases.clone(),
        };
        let names = || index.cases.iter().map(|case| case.name.as_str());
        let mut passed_over = index.passed_over.clone();
        let held_out = if rule.is_none() && names().any(|name| own.val.iter().any(|n| n == name)) {
            let new = unknown_to([&own], names()).into_iter();
            passed_over.extend(new.map(|name| format!("{name}: in neither of the model's lists")));
            HeldOut::of_names(index, &own.val)?
        } else {
            let rule = rule.unwrap_or(Split { every: 5, fold: 0 });
            let (_, cases) = index.split(rule);
            HeldOut::of_files(index, cases)
        };
        Ok(Self {
            notes: warnings(training, &held_out.names()),
            held_out,
            passed_over,
        })
    }
}

/// Whether scores of these cases flatter a model, as far as its manifest knows.
fn warnings(training: &TrainingFacts, scored: &[String]) -> Vec<String> {
    let ancestors = training.ancestors.iter();
    let before = ancestors.map(|ancestor| &ancestor.training_cases);
    let lists: Vec<&Vec<String>> = before.chain([&training.training_cases]).collect();
    let learnt: HashSet<&String> = lists.iter().copied().flatten().collect();
    let seen = scored.iter().filter(|name| learnt.contains(name));
    let seen: Vec<&str> = seen.map(String::as_str).collect();
    let mut warnings = Vec::new();
    if !seen.is_empty() {
        warnings.push(format!(
            "warning: the model learnt from {} of the {} cases that are scored, says its manifest: {}. Their scores flatter",
            seen.len(),
            scored.len(),
            first_few(&seen)
        ));
    }
    let unknown = lists.iter().filter(|list| list.is_empty()).count();
    if unknown > 0 {
        warnings.push(format!(
            "warning: of {unknown} of the {} trainings behind these weights the manifest does not say which cases they learnt from; if some are scored here, the scores flatter",
            lists.len()
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_folder::ModelFolder;
    use crate::train::dataset::CaseFiles;
    use std::path::Path;

    fn index(names: &[&str]) -> DatasetIndex {
        let case = |name: &&str| CaseFiles::new((*name).to_owned(), Vec::new(), "".into());
        DatasetIndex {
            labels: Vec::new(),
            channels: Vec::new(),
            cases: names.iter().map(case).collect(),
            passed_over: vec!["notes.txt: no".to_owned()],
        }
    }

    fn training(train: &[&str], val: &[&str]) -> TrainingFacts {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../public/models/hippocampus");
        let mut facts = ModelFolder::open(&shipped).manifest().unwrap().training;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        facts.ancestors.clear();
        (facts.training_cases, facts.validation_cases) = (names(train), names(val));
        facts
    }

    #[test]
    fn a_model_is_scored_on_what_its_manifest_says_was_held_out() {
        let known = training(&["a", "b", "d"], &["c", "e"]);
        let all = index(&["a", "b", "c", "d", "e", "f"]);
        let own = ModelCases::of(&known, &all, None).unwrap();
        assert_eq!(own.held_out.names(), ["c", "e"]);
        assert_eq!(own.notes, [] as [&str; 0]);
        assert_eq!(
            own.passed_over,
            ["notes.txt: no", "f: in neither of the model's lists"]
        );
        let error = ModelCases::of(&known, &index(&["a", "c"]), None).unwrap_err();
        assert!(error.to_string().contains("case e of the"), "{error}");
        // Other data, of which nothing is known.
        let other = ModelCases::of(&known, &index(&["x", "y"]), None).unwrap();
        assert_eq!(other.held_out.names(), ["x"]);
        assert_eq!(other.notes, [] as [&str; 0]);
    }

    #[test]
    fn cases_that_were_learnt_from_are_said() {
        let all = index(&["a", "b", "c"]);
        let rule = Some(Split { every: 2, fold: 0 });
        let mut facts = training(&["a", "b"], &["c"]);
        let asked = ModelCases::of(&facts, &all, rule).unwrap();
        assert_eq!(asked.held_out.names(), ["a", "c"]);
        let [warning] = &asked.notes[..] else {
            panic!("{:?}", asked.notes)
        };
        assert!(
            warning.contains("learnt from 1 of the 2 cases"),
            "{warning}"
        );
        assert!(warning.contains(": a. Their"), "{warning}");
        // An earlier training knew the other one.
        let mut ancestor = serde_json::json!({
            "recipe": "first", "data": "", "steps": [0, 1], "seed": 1, "trainingCases": ["c"]
        });
        facts.ancestors = vec![serde_json::from_value(ancestor.clone()).unwrap()];
        let notes = ModelCases::of(&facts, &all, rule).unwrap().notes;
        assert!(
            notes[0].contains("learnt from 2 of the 2 cases"),
            "{notes:?}"
        );
        ancestor["trainingCases"] = serde_json::json!([]);
        facts.ancestors = vec![serde_json::from_value(ancestor).unwrap()];
        let notes = ModelCases::of(&facts, &all, None).unwrap().notes;
        assert_eq!(notes.len(), 1);
        assert!(notes[0].contains("of 1 of the 2 trainings"), "{notes:?}");
    }
}
