//! The scans of a BIDS data set: `sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz`.
//!
//! Source: <https://bids-specification.readthedocs.io>, "Magnetic Resonance Imaging", version 1.10.

use std::io;
use std::path::{Path, PathBuf};

use crate::nifti::stem;

/// Suffixes of anatomical scans, the one that is taken first where a session has several.
const SUFFIXES: [&str; 4] = ["T1w", "T2w", "FLAIR", "PDw"];
/// The folder of a session's anatomical scans.
const ANAT: &str = "anat";

/// Why a data set gives no scans.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BidsError {
    /// It can't be read.
    #[error("reading {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody or something was asked for who is not there.
    #[error("{} has no {kind}-{wanted}: there are {found}", path.display())]
    Missing {
        /// The data set.
        path: PathBuf,
        /// `sub` or `ses`.
        kind: &'static str,
        /// The label that was asked for.
        wanted: String,
        /// Those that there are.
        found: String,
    },
}

/// What a data set holds.
#[derive(Debug, Default)]
pub struct Found {
    /// Anatomical scans, as paths within the data set, sorted.
    pub scans: Vec<PathBuf>,
    /// What can't be gone through, where scans should lie: no end of the others.
    pub unreadable: Vec<Unreadable>,
}

/// A participant's, session's or scans' folder that can't be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Within the data set.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Which scans of a data set; of what is left empty all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Participants, with or without `sub-`.
    pub participants: Vec<String>,
    /// Sessions, with or without `ses-`.
    pub sessions: Vec<String>,
    /// The suffix; where none is said, of each session what it has first of T1w, T2w, FLAIR, PDw.
    pub suffix: Option<String>,
}

/// Whether a folder is a data set: it says so in a file that every data set must have, though it may not have been fetched.
pub fn is_data_set(folder: &Path) -> bool {
    let description = folder.join("dataset_description.json");
    description.is_file() || description.is_symlink()
}

/// Anatomical scans of a data set. Derivatives in it are left alone.
///
/// # Errors
/// [`BidsError`].
pub fn scans(data_set: &Path, wanted: &Wanted) -> Result<Found, BidsError> {
    let mut found = Found::default();
    let participants = folders(data_set, Path::new(""), "sub");
    let participants = participants.map_err(|source| BidsError::Read {
        path: data_set.to_owned(),
        source,
    })?;
    let participants = chosen(data_set, "sub", participants, &wanted.participants)?;
    let mut all_sessions = Vec::new();
    for participant in participants {
        let Some(mut sessions) = found.of(&participant, folders(data_set, &participant, "ses"))
        else {
            continue;
        };
        if sessions.is_empty() {
            // Data sets of one session leave the level out.
            sessions.push(participant);
        }
        all_sessions.extend(sessions);
    }
    let is_session = |path: &PathBuf| path.components().count() == 2;
    let (sessions, without): (Vec<_>, Vec<_>) = all_sessions.into_iter().partition(is_session);
    let mut sessions = chosen(data_set, "ses", sessions, &wanted.sessions)?;
    if wanted.sessions.is_empty() {
        sessions.extend(without);
    }
    for session in sessions {
        let within = found.of(&session, names(&data_set.join(&session)));
        if within.is_some_and(|names| names.iter().any(|name| name == ANAT)) {
            let anat = session.join(ANAT);
            let scans = found.of(&anat, scans_of(data_set, &anat, wanted));
            found.scans.extend(scans.unwrap_or_default());
        }
    }
    found.scans.sort();
    Ok(found)
}

impl Found {
    /// What was read of a folder, or a note that it could not be.
    fn of<T>(&mut self, path: &Path, read: io::Result<T>) -> Option<T> {
        let noted = |source| {
            let path = path.to_owned();
            self.unreadable.push(Unreadable { path, source });
        };
        read.map_err(noted).ok()
    }
}

/// Those of a session's scans that are of one suffix.
fn scans_of(data_set: &Path, anat: &Path, wanted: &Wanted) -> io::Result<Vec<PathBuf>> {
    let names = names(&data_set.join(anat))?;
    let of = |suffix: &str| -> Vec<PathBuf> {
        let is_of = |name: &&String| {
            let stem = stem(Path::new(name)).and_then(|stem| stem.to_str());
            stem.is_some_and(|stem| {
                stem.starts_with("sub-") && stem.ends_with(&format!("_{suffix}"))
            })
        };
        names
            .iter()
            .filter(is_of)
            .map(|name| anat.join(name))
            .collect()
    };
    Ok(match &wanted.suffix {
        Some(suffix) => of(suffix.trim_start_matches('_')),
        None => {
            let all = SUFFIXES.iter().map(|suffix| of(suffix));
            all.into_iter()
                .find(|scans| !scans.is_empty())
                .unwrap_or_default()
        }
    })
}

/// Folders `kind-LABEL` in a folder of a data set, as paths within it, and what is called so and can't be looked into.
fn folders(data_set: &Path, within: &Path, kind: &str) -> io::Result<Vec<PathBuf>> {
    let folder = data_set.join(within);
    let is_kind = |name: &String| {
        let label = name
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix('-'));
        label.is_some_and(|label| {
            // Tables lie beside folders: sub-01_scans.tsv.
            let is_label = !label.is_empty() && label.chars().all(char::is_alphanumeric);
            is_label || folder.join(name).is_dir()
        })
    };
    Ok(names(&folder)?
        .into_iter()
        .filter(is_kind)
        .map(|name| within.join(name))
        .collect())
}

/// Those whose last folder's label is asked for.
fn chosen(
    data_set: &Path,
    kind: &'static str,
    folders: Vec<PathBuf>,
    wanted: &[String],
) -> Result<Vec<PathBuf>, BidsError> {
    if wanted.is_empty() {
        return Ok(folders);
    }
    let label = |folder: &PathBuf| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        name[kind.len() + 1..].to_owned()
    };
    let plain = |wanted: &String| {
        let prefix = format!("{kind}-");
        wanted.strip_prefix(&prefix).unwrap_or(wanted).to_owned()
    };
    for wanted in wanted.iter().map(plain) {
        if !folders.iter().any(|folder| label(folder) == wanted) {
            let mut found: Vec<String> = folders.iter().map(label).collect();
            found.sort();
            found.dedup();
            return Err(BidsError::Missing {
                path: data_set.to_owned(),
                kind,
                wanted,
                found: if found.is_empty() {
                    "none".to_owned()
                } else {
                    found.join(", ")
                },
            });
        }
    }
    let wanted: Vec<String> = wanted.iter().map(plain).collect();
    let is_wanted = |folder: &PathBuf| wanted.contains(&label(folder));
    Ok(folders.into_iter().filter(is_wanted).collect())
}

/// Names in a folder, sorted; those that are no UTF-8 are no names of BIDS.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 12] = [
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_T1w.json",
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-01/func/sub-01_task-rest_bold.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_run-1_T1w.nii",
        "sub-02/ses-a/anat/sub-02_ses-a_run-2_T1w.nii",
        "sub-02/ses-b/anat/sub-02_ses-b_FLAIR.nii.gz",
        "sub-02/ses-b/anat/._sub-02_ses-b_T1w.nii.gz",
        "sub-03/dwi/sub-03_dwi.nii.gz",
        "derivatives/x/sub-01/anat/sub-01_T1w.nii.gz",
        "sourcedata/sub-04/anat/sub-04_T1w.nii.gz",
        "dataset_description.json",
    ];

    fn data_set(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("dinomed3d-bids-{name}-{}", std::process::id()));
        for file in FILES {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    fn found(folder: &Path, participants: &[&str], sessions: &[&str]) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let wanted = Wanted {
            participants: owned(participants),
            sessions: owned(sessions),
            suffix: None,
        };
        let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let found = scans(folder, &wanted).unwrap();
        assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
        found.scans.iter().map(text).collect()
    }

    #[test]
    fn each_session_gives_its_scans_of_the_first_suffix_and_derivatives_none() {
        let folder = data_set("all");
        assert!(is_data_set(&folder) && !is_data_set(&folder.join("sub-01")));
        assert_eq!(
            found(&folder, &[], &[]),
            [FILES[0], FILES[4], FILES[5], FILES[6]]
        );
        assert_eq!(found(&folder, &["01"], &[]), [FILES[0]]);
        assert_eq!(found(&folder, &["sub-02"], &["ses-b"]), [FILES[6]]);
        assert_eq!(found(&folder, &[], &["a"]), [FILES[4], FILES[5]]);
        let wanted = Wanted {
            suffix: Some("T2w".to_owned()),
            ..Wanted::default()
        };
        let found = scans(&folder, &wanted).unwrap();
        assert_eq!(found.scans, [PathBuf::from(FILES[2])]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// What no permission does to a folder, a file in its place and a link that leads nowhere do to every user.
    #[cfg(unix)]
    #[test]
    fn a_folder_that_can_t_be_read_ends_itself_alone() {
        let folder = data_set("unreadable");
        std::fs::write(folder.join("sub-04"), "").unwrap();
        std::fs::write(folder.join("sub-01_scans.tsv"), "").unwrap();
        std::os::unix::fs::symlink("gone", folder.join("sub-05")).unwrap();
        let description = folder.join("dataset_description.json");
        std::fs::remove_file(&description).unwrap();
        std::os::unix::fs::symlink("gone", description).unwrap();
        assert!(is_data_set(&folder));
        std::os::unix::fs::symlink("gone", folder.join("sub-02/ses-c")).unwrap();
        std::os::unix::fs::symlink("../gone", folder.join("sub-03/anat")).unwrap();
        let found = scans(&folder, &Wanted::default()).unwrap();
        assert_eq!(
            found.scans,
            [FILES[0], FILES[4], FILES[5], FILES[6]].map(PathBuf::from)
        );
        let paths = found.unreadable.iter().map(|it| it.path.to_str().unwrap());
        let mut paths: Vec<&str> = paths.collect();
        paths.sort_unstable();
        assert_eq!(paths, ["sub-02/ses-c", "sub-03/anat", "sub-04", "sub-05"]);
        let wanted = Wanted {
            participants: vec!["01".to_owned()],
            ..Wanted::default()
        };
        assert!(scans(&folder, &wanted).unwrap().unreadable.is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn who_is_not_there_is_named_with_those_who_are() {
        let folder = data_set("missing");
        let error = |participants: &[&str], sessions: &[&str]| {
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            let wanted = Wanted {
                participants: owned(participants),
                sessions: owned(sessions),
                suffix: None,
            };
            scans(&folder, &wanted).unwrap_err().to_string()
        };
        assert!(error(&["01", "07"], &[]).ends_with("has no sub-07: there are 01, 02, 03"));
        assert!(error(&[], &["c"]).ends_with("has no ses-c: there are a, b"));
        assert!(error(&["01"], &["a"]).ends_with("has no ses-a: there are none"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
