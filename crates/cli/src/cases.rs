//! The scans that a command line names, one or thousands, and where the results of each lie.

use crate::scan::{gone, is_called_dicom, is_dicom, is_gone};
use crate::scan_list;
use anyhow::Context;
use dinomed3d_volume::bids::{self, Wanted};
use dinomed3d_volume::companions;
use dinomed3d_volume::derivative::DerivativeNames;
use dinomed3d_volume::nifti::stem;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};
use walkdir::WalkDir;

/// Which scans of a data set.
#[derive(Debug, Default, clap::Args)]
pub struct OfDataSet {
    /// Of a BIDS data set these participants, with or without sub-.
    #[arg(long, alias = "participant_label", value_name = "LABEL", value_delimiter = ',', num_args = 1.., requires = "out")]
    participant_label: Vec<String>,
    /// Of a BIDS data set these sessions, with or without ses-.
    #[arg(long, alias = "session_label", value_name = "LABEL", value_delimiter = ',', num_args = 1.., requires = "out")]
    session_label: Vec<String>,
    /// Of a BIDS data set the scans of this suffix [default: of each session the first that it has of T1w, T2w, FLAIR, PDw].
    #[arg(long, value_name = "SUFFIX", requires = "out")]
    suffix: Option<String>,
}

/// Which scans.
#[derive(Debug, Default, clap::Args)]
pub struct Selection {
    /// A file that names more scans, one a line.
    #[arg(long, value_name = "FILE", requires = "out")]
    list: Option<PathBuf>,
    #[command(flatten)]
    of_data_set: OfDataSet,
}

/// A scan, and what its results are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The file that is read, or the folder or zip of DICOM files.
    pub input: PathBuf,
    /// Of several series this one.
    pub series: Option<usize>,
    /// Where results lie within the output folder.
    pub folder: PathBuf,
    /// What they are called.
    pub names: DerivativeNames,
    /// As a BIDS URI, of a scan of a data set.
    pub source: Option<String>,
    /// Why it can't be segmented, where finding it tells: no end of the others.
    pub problem: Option<String>,
}

impl Case {
    /// Within the output folder, without a kind's end.
    pub fn name(&self) -> String {
        self.folder.join(self.names.stem()).display().to_string()
    }

    /// Of a folder of several series this one.
    pub fn of_series(&self, series: usize) -> Self {
        let stem = format!("{}_series-{series}", self.names.stem());
        Self {
            series: Some(series),
            names: DerivativeNames::whole(&stem),
            ..self.clone()
        }
    }
}

/// All scans that were found.
#[derive(Debug, Default)]
pub struct Cases {
    /// In the order of their places and names.
    pub cases: Vec<Case>,
    /// Files in folders that are no scans.
    pub passed_over: usize,
    /// The data set that some are of.
    pub data_set: Option<PathBuf>,
}

impl Cases {
    fn extend(&mut self, more: Self) {
        self.cases.extend(more.cases);
        self.passed_over += more.passed_over;
        self.data_set = more.data_set.or(self.data_set.take());
    }
}

/// Finds scans: files, folders, patterns and data sets, whose results lie in `out` as they lie in the deepest folder that
/// holds them all.
///
/// What a list names and what lies in a folder fails by itself, as a case with a problem.
///
/// # Errors
/// A name of the command line that leads nowhere, a folder without a scan, a list that names none, or two scans whose results
/// would be one.
pub fn find(inputs: &[PathBuf], selection: &Selection, out: &Path) -> anyhow::Result<Cases> {
    let mut all = Vec::new();
    for name in inputs {
        all.extend(paths(name)?);
    }
    let of_command = all.len();
    let mut lost = Vec::new();
    if let Some(list) = &selection.list {
        for line in scan_list::read(list)? {
            let found = line.and_then(|name| paths(&name).map_err(|error| (name, error)));
            match found {
                Ok(found) => all.extend(found),
                Err((name, error)) => lost.push((plain(&name)?, format!("{error:#}"))),
            }
        }
    }
    // Also by what is lost, so that results lie where they would if it were there.
    let places: Vec<&Path> = all
        .iter()
        .chain(lost.iter().map(|(path, _)| path))
        .map(|path| &**path)
        .collect();
    let root = root(&places);
    let mut found = Cases::default();
    for (index, input) in all.iter().enumerate() {
        match of_input(input, selection, &root, out) {
            Ok(more) => found.extend(more),
            Err(error) if index < of_command => return Err(error),
            Err(error) => lost.push((input.clone(), format!("{error:#}"))),
        }
    }
    let lost = lost.into_iter().map(|(path, problem)| Case {
        problem: Some(problem),
        ..case(&path, &root, None)
    });
    found.cases.extend(lost);
    tell_apart(&mut found.cases)?;
    Ok(found)
}

/// The scans of one file or folder.
fn of_input(input: &Path, selection: &Selection, root: &Path, out: &Path) -> anyhow::Result<Cases> {
    let mut found = Cases::default();
    if !input.is_dir() {
        found.cases.push(case(input, root, None));
    } else if bids::is_data_set(input) {
        of_data_set(input, &selection.of_data_set, &mut found)?;
    } else {
        below(input, root, out, &mut found)?;
    }
    anyhow::ensure!(
        !found.cases.is_empty(),
        "{} holds no scan: expected are NIfTI, MGH or DICOM files, or a BIDS data set with an anatomical scan",
        input.display()
    );
    Ok(found)
}

/// The scans of a BIDS data set.
///
/// # Errors
/// A folder that is none, or that has not what was asked for.
pub fn find_in_data_set(data_set: &Path, wanted: &OfDataSet) -> anyhow::Result<Cases> {
    anyhow::ensure!(
        bids::is_data_set(data_set),
        "{} is no BIDS data set: expected is a folder with dataset_description.json",
        data_set.display()
    );
    let mut found = Cases::default();
    of_data_set(&plain(data_set)?, wanted, &mut found)?;
    tell_apart(&mut found.cases)?;
    Ok(found)
}

/// What a name stands for: itself, or what matches it as a pattern.
fn paths(named: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if named.exists() {
        return Ok(vec![plain(named)?]);
    }
    let pattern = named.to_string_lossy();
    anyhow::ensure!(
        pattern.contains(['*', '?', '[']),
        "{pattern} is not there: expected is a file, a folder or a pattern"
    );
    let matches = glob::glob(&pattern).with_context(|| format!("in the pattern {pattern}"))?;
    let mut found = Vec::new();
    for path in matches {
        found.push(plain(&path?)?);
    }
    anyhow::ensure!(!found.is_empty(), "nothing matches {pattern}");
    Ok(found)
}

/// From the root, without `.` and `..`; links are names like others, as data sets under version control are full of them.
///
/// # Errors
/// An empty name.
pub fn plain(path: &Path) -> anyhow::Result<PathBuf> {
    let absolute = std::path::absolute(path).with_context(|| format!("in {}", path.display()))?;
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => _ = plain.pop(),
            component => plain.push(component),
        }
    }
    Ok(plain)
}

/// The one folder that is named, or the deepest that holds all that is named.
fn root(inputs: &[&Path]) -> PathBuf {
    if let [only] = inputs
        && only.is_dir()
        && !holds_dicom(only)
    {
        return only.to_path_buf();
    }
    let parents = inputs.iter().map(|input| input.parent().unwrap_or(input));
    let common = |a: PathBuf, b: &Path| {
        let both = a.components().zip(b.components());
        both.take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    };
    let mut parents = parents.map(Path::to_owned);
    let first = parents.next().unwrap_or_default();
    parents.fold(first, |root, parent| common(root, &parent))
}

fn case(input: &Path, root: &Path, source: Option<String>) -> Case {
    let name = input.file_name().unwrap_or_default().to_string_lossy();
    let folder = input.parent().unwrap_or(root);
    let folder = folder.strip_prefix(root).unwrap_or(Path::new(""));
    let is_text =
        folder.to_str().is_some() && input.file_name().is_none_or(|it| it.to_str().is_some());
    let problem = || {
        format!(
            "the name of {} is no UTF-8, so no result can be named after it: expected is another name of the file or its folder",
            input.display()
        )
    };
    Case {
        input: input.to_owned(),
        series: None,
        folder: folder.to_owned(),
        names: DerivativeNames::of(&name),
        source,
        problem: (!is_text).then(problem),
    }
}

fn of_data_set(folder: &Path, wanted: &OfDataSet, found: &mut Cases) -> anyhow::Result<()> {
    let wanted = Wanted {
        participants: wanted.participant_label.clone(),
        sessions: wanted.session_label.clone(),
        suffix: wanted.suffix.clone(),
    };
    let bids::Found { scans, unreadable } = bids::scans(folder, &wanted)?;
    found.cases.extend(scans.iter().map(|scan| {
        let source = format!("bids:raw:{}", scan.display());
        case(&folder.join(scan), folder, Some(source))
    }));
    found.cases.extend(unreadable.iter().map(|it| {
        let path = folder.join(&it.path);
        let problem = Some(unread(&path, &it.source));
        Case {
            problem,
            ..case(&path, folder, None)
        }
    }));
    found.data_set = Some(folder.to_owned());
    Ok(())
}

/// All scans in a folder and those below it, but for results and hidden files.
fn below(folder: &Path, root: &Path, out: &Path, found: &mut Cases) -> anyhow::Result<()> {
    let out = plain(out)?;
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    let walk = walk.into_iter().filter_entry(|entry| {
        entry.depth() == 0 || entry.path() != out && !is_hidden(entry.file_name())
    });
    // Whether a folder's files are DICOM's is asked of each till one is.
    let mut dicom: HashMap<PathBuf, bool> = HashMap::new();
    // Of a folder's slices that are not there one is named.
    let mut incomplete = HashSet::new();
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(folder);
                let parent = path.parent().unwrap_or(folder);
                let is_gone = is_gone(path);
                if is_hidden(path.file_name().unwrap_or_default()) {
                    continue;
                } else if is_gone && is_called_dicom(path) {
                    if incomplete.insert(parent.to_owned()) {
                        found.cases.push(unreadable(&error, path, parent, root));
                    }
                } else if !is_gone || may_be_scan(path) {
                    found.cases.push(unreadable(&error, path, path, root));
                } else if companions(path).is_empty() {
                    // What lies beside scans may not have been fetched.
                    found.passed_over += 1;
                }
                continue;
            }
        };
        if entry.file_type().is_dir() {
            continue;
        }
        let (path, parent) = (entry.path(), entry.path().parent().unwrap_or(folder));
        if dicom.get(parent).is_some_and(|is| *is) {
            continue;
        }
        if is_scan(path) {
            found.cases.push(case(path, root, None));
        } else if is_dicom(path) {
            dicom.insert(parent.to_owned(), true);
            found.cases.push(case(parent, root, None));
        } else if companions(path).is_empty() {
            found.passed_over += 1;
        }
    }
    Ok(())
}

/// An entry of a folder that could not be followed, as a case of what it is or is a part of.
fn unreadable(error: &walkdir::Error, path: &Path, of: &Path, root: &Path) -> Case {
    let problem = match (error.loop_ancestor(), error.io_error()) {
        (Some(ancestor), _) => format!(
            "{} is a link to {}, in which it lies: it would be gone through without end",
            path.display(),
            ancestor.display()
        ),
        (None, Some(cause)) => unread(path, cause),
        (None, None) => format!("reading {}: {error}", path.display()),
    };
    Case {
        problem: Some(problem),
        ..case(of, root, None)
    }
}

/// Why something can't be read.
fn unread(path: &Path, cause: &io::Error) -> String {
    match gone(path) {
        Some(gone) => gone,
        None => format!("reading {}: {cause}", path.display()),
    }
}

fn holds_dicom(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files = entries.map(|entry| entry.path());
    files.any(|path| path.is_file() && is_dicom(&path))
}

/// By its name: a NIfTI or MGH file, or a pair's header; no result of a segmentation.
fn is_scan(path: &Path) -> bool {
    // What is said of it when it is read, where the other one is a link that leads nowhere.
    let is_there = |other: &PathBuf| other.is_file() || is_gone(other);
    may_be_scan(path) && (!is_header(path) || companions(path).iter().any(is_there))
}

/// As [`is_scan`], as far as a name tells of what can't be read.
fn may_be_scan(path: &Path) -> bool {
    if let Some(stem) = stem(path) {
        let stem = stem.to_string_lossy();
        return !["_dseg", "_probseg", "_mask"]
            .iter()
            .any(|end| stem.ends_with(end));
    }
    is_header(path) || ends_with(path, &[".mgh", ".mgz"])
}

fn is_header(path: &Path) -> bool {
    ends_with(path, &[".hdr", ".hdr.gz"])
}

fn ends_with(path: &Path, endings: &[&str]) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    endings.iter().any(|ending| name.ends_with(ending))
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Each scan once, and results of two never under one name: where they differ in what a name leaves out, it is kept.
fn tell_apart(cases: &mut Vec<Case>) -> anyhow::Result<()> {
    cases.sort_by(|a, b| (&a.folder, &a.input).cmp(&(&b.folder, &b.input)));
    cases.dedup_by(|a, b| a.input == b.input);
    let place = |case: &Case| case.name().to_lowercase();
    let shared = |cases: &[Case]| {
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        // What fails has no results.
        let all = cases.iter().enumerate();
        for (index, case) in all.filter(|(_, case)| case.problem.is_none()) {
            places.entry(place(case)).or_default().push(index);
        }
        let several = places.into_values().filter(|cases| cases.len() > 1);
        several.collect::<Vec<_>>()
    };
    for index in shared(cases).into_iter().flatten() {
        let name = cases[index].input.file_name().unwrap_or_default();
        cases[index].names = DerivativeNames::whole(&name.to_string_lossy());
    }
    let still = shared(cases);
    if let Some(both) = still.iter().min() {
        anyhow::bail!(
            "results of {} and {} would both be {}: expected is one of them, or another folder for each",
            cases[both[0]].input.display(),
            cases[both[1]].input.display(),
            cases[both[0]].names.label_map()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::files_of;

    fn folder(name: &str, files: &[&str]) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("dinomed3d-cases-{name}-{}", std::process::id()));
        for file in files {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut bytes = vec![0; 132];
            if file.contains("IM") {
                bytes[128..].copy_from_slice(b"DICM");
            }
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn names(found: &Cases) -> Vec<String> {
        found.cases.iter().map(Case::name).collect()
    }

    #[test]
    fn a_folder_s_scans_are_found_and_their_results_lie_as_they_do() {
        let files = [
            "a/t1.nii.gz",
            "a/t1.json",
            "a/t1_dseg.nii.gz",
            "b/t1.nii",
            "b/pair.hdr",
            "b/pair.img",
            "b/lonely.hdr",
            "b/.hidden.nii",
            "c/x/IM1",
            "c/x/IM2",
            "c/brain.MGZ",
            "out/a/t1.nii.gz",
        ];
        let folder = folder("folder", &files);
        let out = folder.join("out");
        let none = Selection::default();
        let all = find(std::slice::from_ref(&folder), &none, &out).unwrap();
        assert_eq!(names(&all), ["a/t1", "b/pair", "b/t1", "c/brain", "c/x"]);
        assert_eq!(all.passed_over, 2, "a sidecar and a result");
        assert_eq!(all.cases[4].input, folder.join("c/x"));

        let pattern = folder.join("*/t1.nii*");
        let by_pattern = find(&[pattern], &none, &out).unwrap();
        assert_eq!(names(&by_pattern), ["a/t1", "b/t1", "out/a/t1"][..2]);
        let files = [folder.join("a/t1.nii.gz"), folder.join("b/../b/t1.nii")];
        assert_eq!(names(&find(&files, &none, &out).unwrap()), ["a/t1", "b/t1"]);
        assert_eq!(names(&find(&files[..1], &none, &out).unwrap()), ["t1"]);
        let series = find(&[folder.join("c/x")], &none, &out).unwrap();
        assert_eq!(names(&series), ["x"]);
        let list = Selection {
            list: Some(folder.join("list")),
            ..Selection::default()
        };
        let text = format!("# two\n{}\n\n{}\n", files[0].display(), files[0].display());
        std::fs::write(folder.join("list"), text).unwrap();
        assert_eq!(names(&find(&[], &list, &out).unwrap()), ["t1"], "each once");
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// As in a data set of which nothing or not all was fetched.
    #[cfg(unix)]
    #[test]
    fn of_links_that_lead_nowhere_scans_fail_and_what_lies_beside_them_is_passed_over() {
        let files = ["a.nii.gz", "p.hdr", "series/IM1.dcm", "part/IM2"];
        let folder = folder("gone", &files);
        for name in [
            "a.json",
            "participants.tsv",
            "README",
            "a_dseg.nii.gz",
            ".hidden.nii.gz",
            "b.nii.gz",
            "c.mgz",
            "p.img",
            "series/IM2.dcm",
            "series/IM3.dcm",
            "part/IM1.dcm",
            "part/notes.txt",
        ] {
            std::os::unix::fs::symlink("../annex/gone", folder.join(name)).unwrap();
        }
        let none = Selection::default();
        let all = find(std::slice::from_ref(&folder), &none, Path::new("out")).unwrap();
        assert_eq!(names(&all), ["a", "b", "c", "p", "part", "series"]);
        let problems = all.cases.iter().map(|case| case.problem.as_deref());
        let problems: Vec<&str> = problems.map(Option::unwrap_or_default).collect();
        assert_eq!(
            (problems[0], problems[3]),
            ("", ""),
            "what is there is opened"
        );
        for (place, gone) in [(1, "b.nii.gz"), (2, "c.mgz"), (4, "part/IM1.dcm")] {
            let expected = format!("{gone} is a link to ../annex/gone, which is not there");
            assert!(problems[place].ends_with(&expected), "{}", problems[place]);
        }
        assert_eq!(all.passed_over, 5, "what is called as no scan");
        // It would be a series without its last slices.
        let error = files_of(&folder.join("series")).unwrap_err().to_string();
        assert!(error.contains("series/IM2.dcm is a link to"), "{error}");
        std::fs::remove_file(folder.join("part/IM1.dcm")).unwrap();
        let read = files_of(&folder.join("part")).unwrap();
        assert_eq!(read, [folder.join("part/IM2")]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_name_leaves_out_is_kept_where_it_tells_two_scans_apart() {
        let files = ["sub-1_T1w.nii", "sub-1_T2w.nii", "sub-2_T1w.nii"];
        let folder = folder("apart", &files);
        let none = Selection::default();
        let found = |folder: &PathBuf| find(std::slice::from_ref(folder), &none, Path::new("out"));
        assert_eq!(
            names(&found(&folder).unwrap()),
            ["sub-1", "sub-1_desc-T2w", "sub-2"]
        );
        std::fs::write(folder.join("sub-1_desc-T2w_T1w.nii"), "").unwrap();
        assert_eq!(
            names(&found(&folder).unwrap()),
            ["sub-1", "sub-1_T2w", "sub-1_desc-T2w_T1w", "sub-2"]
        );
        std::fs::write(folder.join("sub-2_T1w.nii.gz"), "").unwrap();
        let error = found(&folder).unwrap_err().to_string();
        assert!(
            error.contains("sub-2_T1w.nii and") && error.contains("sub-2_T1w_dseg.nii.gz"),
            "{error}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_name_that_leads_nowhere_and_a_folder_without_a_scan_are_named() {
        let folder = folder("nowhere", &["notes.txt"]);
        let none = Selection::default();
        let error = |input: &str| {
            let found = find(&[folder.join(input)], &none, Path::new("out"));
            found.unwrap_err().to_string()
        };
        assert!(error("head.nii").contains("head.nii is not there"));
        assert!(error("*.nii").contains("nothing matches"));
        assert!(error("").contains("holds no scan"));
        assert!(find_in_data_set(&folder, &OfDataSet::default()).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
