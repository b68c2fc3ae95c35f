//! Files that are written whole or not at all, and never over what they are made from.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

/// Why nothing can be written to a path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// It is an input, perhaps by another name.
    #[error("{} would replace {}, which is read: expected is another place", path.display(), input.display())]
    Input {
        /// Where the result should go.
        path: PathBuf,
        /// What is there, as it was named for reading.
        input: PathBuf,
    },
    /// Two results would go to one place.
    #[error("{} and {} are one file: expected is a place for each result", first.display(), second.display())]
    Twice {
        /// One name.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A folder or a device is there.
    #[error("{} is there and no file: expected is the name of a file", path.display())]
    NoFile {
        /// Where the result should go.
        path: PathBuf,
    },
    /// No file can be made there.
    #[error("writing {}", path.display())]
    Folder {
        /// Where the result should go.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Checks, before anything is computed, that results can be written to `outputs` and destroy nothing: no output is one of
/// `inputs` (files), by whatever spelling or link, and no two are one file; each folder is there and takes files. What killed
/// programs left of the outputs while they wrote them goes.
///
/// # Errors
/// The first problem, by name.
pub fn check_outputs<P: AsRef<Path>, Q: AsRef<Path>>(
    outputs: &[P],
    inputs: &[Q],
) -> Result<(), OutputError> {
    let mut places: Vec<(PathBuf, &Path)> = Vec::new();
    for output in outputs.iter().map(AsRef::as_ref) {
        let path = || output.to_owned();
        let failed = |source| OutputError::Folder {
            path: path(),
            source,
        };
        if let Some(input) = inputs
            .iter()
            .find(|input| is_same_file(output, input.as_ref()))
        {
            return Err(OutputError::Input {
                path: path(),
                input: input.as_ref().to_owned(),
            });
        }
        if std::fs::metadata(output).is_ok_and(|there| !there.is_file()) {
            return Err(OutputError::NoFile { path: path() });
        }
        // A folder that takes no file is found by making one.
        begin(output)
            .and_then(|(temporary, _held)| std::fs::remove_file(temporary))
            .map_err(failed)?;
        let folder = std::fs::canonicalize(folder(output)).map_err(failed)?;
        let place = folder.join(output.file_name().unwrap_or_default());
        let same =
            |(other, name): &&(PathBuf, &Path)| *other == place || is_same_file(name, output);
        if let Some((_, first)) = places.iter().find(same) {
            return Err(OutputError::Twice {
                first: first.to_path_buf(),
                second: path(),
            });
        }
        places.push((place, output));
    }
    remove_unfinished(&places);
    Ok(())
}

/// As [`check_outputs`], for files of these names in a folder that may have to be made.
///
/// # Errors
/// Those of [`check_outputs`].
pub fn check_outputs_in<Q: AsRef<Path>>(
    folder: &Path,
    names: &[&str],
    inputs: &[Q],
) -> Result<(), OutputError> {
    let outputs: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    if folder.is_dir() {
        return check_outputs(&outputs, inputs);
    }
    // Where nothing is, nothing is replaced; a folder can be made where a file can.
    let missing = |place: &&Path| !place.as_os_str().is_empty() && !place.exists();
    let made = |output: &PathBuf| {
        output
            .ancestors()
            .take_while(missing)
            .last()
            .map(Path::to_owned)
    };
    let made = outputs.first().and_then(made);
    check_outputs(made.as_slice(), inputs)
}

/// Whether two paths lead to one file that is there, also through links.
fn is_same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |path: &Path| {
            let there = std::fs::metadata(path).ok()?;
            Some((there.dev(), there.ino()))
        };
        identity(a).is_some() && identity(a) == identity(b)
    }
    #[cfg(not(unix))]
    {
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        real(a).is_some() && real(a) == real(b)
    }
}

/// Writes `bytes` beside `path` and moves them into place, so that nobody ever sees half a file
/// and a failed write leaves an older file as it was.
///
/// # Errors
/// Whatever the file system says.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    write_whole_by(path, |temporary| std::fs::write(temporary, bytes))
}

/// As [`write_whole`], where `write` makes the file under the name that it is given.
///
/// # Errors
/// Whatever the file system or `write` says.
pub fn write_whole_by(
    path: &Path,
    write: impl FnOnce(&Path) -> std::io::Result<()>,
) -> std::io::Result<()> {
    // Held until it has its own name.
    let (temporary, _held) = begin(path)?;
    let written = write(&temporary)
        .and_then(|()| File::open(&temporary)?.sync_all())
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // The reason of the failure matters more than that of the clean-up.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Makes the file beside `path` that becomes it, and holds it, so that others see that somebody writes it.
///
/// Its number is drawn: jobs of several machines or containers share a folder, and often a process number.
fn begin(path: &Path) -> std::io::Result<(PathBuf, File)> {
    loop {
        let number = RandomState::new().build_hasher().finish() as u32;
        let temporary = temporary(path, number)?;
        let file = match File::create_new(&temporary) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
            other => other?,
        };
        hold(&file);
        // Between the two it may have been taken for one that nobody writes.
        if temporary.exists() {
            return Ok((temporary, file));
        }
    }
}

/// Removes what killed programs left of files while they wrote them, and nothing that somebody is writing. Each folder is listed
/// once: one with the results of ten thousand scans takes its time. What can't be removed harms nobody.
fn remove_unfinished(files: &[(PathBuf, &Path)]) {
    let folders: HashSet<&Path> = files.iter().filter_map(|(file, _)| file.parent()).collect();
    let entries = folders
        .into_iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok());
    for entry in entries.flatten().flatten() {
        let path = entry.path();
        let is_ours =
            finished(&path).is_some_and(|file| files.iter().any(|(ours, _)| *ours == file));
        if is_ours && is_abandoned(&path) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The file that one of this name becomes, if it becomes any.
fn finished(temporary: &Path) -> Option<PathBuf> {
    let is_part = temporary.extension().is_some_and(|end| end == "part");
    let numbered = temporary.with_extension("");
    let number = numbered.extension().filter(|_| is_part)?;
    let is_number = number.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    is_number.then(|| numbered.with_extension(""))
}

/// Holds a file as long as it is open, on this machine and all that share its folder. A file system that knows no locks holds
/// none, and there nothing is [abandoned](is_abandoned).
#[cfg(unix)]
fn hold(file: &File) {
    let _ = file.try_lock();
}

/// Whether nobody writes a file any more: the kernel lets go of what a killed program held.
#[cfg(unix)]
fn is_abandoned(path: &Path) -> bool {
    let file = File::options().write(true).open(path);
    file.is_ok_and(|file| file.try_lock().is_ok())
}

/// Elsewhere a lock keeps the writer itself from opening the file once more.
#[cfg(not(unix))]
fn hold(_: &File) {}

/// Whether nobody writes a file any more, by its age: no result takes a day to be written.
#[cfg(not(unix))]
fn is_abandoned(path: &Path) -> bool {
    let written = std::fs::metadata(path).and_then(|there| there.modified());
    let age = written.ok().and_then(|written| written.elapsed().ok());
    age.is_some_and(|age| age.as_secs() > 24 * 60 * 60)
}

/// The name beside `path` that a file has while it is written.
fn temporary(path: &Path, number: u32) -> std::io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| std::io::Error::other("the path has no file name"))?;
    let mut temporary = name.to_owned();
    temporary.push(format!(".{number}.part"));
    Ok(path.with_file_name(temporary))
}

/// The folder that a file lies in; that of a mere name is the current one.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("dinomed3d-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[cfg(unix)]
    #[test]
    fn what_a_killed_program_left_is_removed_and_nothing_else() {
        let folder = scratch("unfinished");
        let all = [
            "a.nii.7.part",
            "a.nii",
            "a.nii.x.part",
            "a.nii.7",
            "b.nii.7.part",
            "a.nii.8.part",
        ];
        for name in all {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let written = File::open(folder.join(all[5])).unwrap();
        hold(&written);
        check_outputs(&[folder.join("a.nii")], &[] as &[PathBuf]).unwrap();
        for name in all {
            assert_eq!(folder.join(name).exists(), name != all[0], "{name}");
        }
        drop(written);
        check_outputs(&[folder.join("a.nii")], &[] as &[PathBuf]).unwrap();
        assert!(!folder.join(all[5]).exists(), "nobody writes it any more");
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// As two jobs do that are given one scan and one folder; in two containers they also have one process number.
    #[test]
    fn who_writes_a_file_leaves_what_another_writes_of_it() {
        let folder = scratch("two-writers");
        let path = folder.join("a.nii");
        write_whole_by(&path, |first| {
            std::fs::write(first, b"first")?;
            check_outputs(&[&path], &[] as &[PathBuf]).unwrap();
            write_whole_by(&path, |second| {
                assert_ne!(first, second);
                std::fs::write(second, b"second")
            })?;
            assert_eq!(std::fs::read(&path)?, b"second");
            assert_eq!(std::fs::read(first)?, b"first");
            Ok(())
        })
        .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = scratch("whole");
        let path = folder.join("file");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        // A folder in the way of the rename.
        let blocked = folder.join("blocked");
        std::fs::create_dir_all(blocked.join("inside")).unwrap();
        assert!(write_whole(&blocked, b"three").is_err());
        let names: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "nothing half-written is left: {names:?}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn no_output_is_an_input_by_whatever_name() {
        let folder = scratch("inputs");
        let scan = folder.join("scan.nii");
        std::fs::write(&scan, b"scan").unwrap();
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        std::os::unix::fs::symlink(&scan, folder.join("link.nii")).unwrap();
        std::os::unix::fs::symlink(&folder, folder.join("sub/up")).unwrap();
        std::fs::hard_link(&scan, folder.join("hard.nii")).unwrap();
        let inputs = [folder.join("other.nii"), scan.clone()];
        for name in [
            "scan.nii",
            "sub/../scan.nii",
            "./scan.nii",
            "link.nii",
            "hard.nii",
            "sub/up/scan.nii",
        ] {
            let error = check_outputs(&[folder.join(name)], &inputs).unwrap_err();
            assert!(matches!(error, OutputError::Input { .. }), "{error}");
            assert!(
                error.to_string().contains("scan.nii, which is read"),
                "{error}"
            );
        }
        // An input that is a link to the output.
        assert!(check_outputs(&[&scan], &[folder.join("link.nii")]).is_err());
        let free = ["sub/scan.nii", "new.nii"].map(|name| folder.join(name));
        check_outputs(&free, &inputs).unwrap();
        std::fs::write(&free[1], b"older result").unwrap();
        check_outputs(&free, &inputs).unwrap();
        assert_eq!(std::fs::read(&scan).unwrap(), b"scan");
        assert_eq!(std::fs::read(&free[1]).unwrap(), b"older result");
        assert!(!free[0].exists());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_output_is_a_file_in_a_folder_that_is_there_and_another_than_the_next() {
        let folder = scratch("outputs");
        let check = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
            check_outputs(&paths, &[] as &[PathBuf])
        };
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        assert!(matches!(check(&["sub"]), Err(OutputError::NoFile { .. })));
        assert!(matches!(
            check(&["nowhere/a"]),
            Err(OutputError::Folder { .. })
        ));
        assert!(matches!(
            check(&["sub/.."]),
            Err(OutputError::NoFile { .. })
        ));
        assert!(check(&["a", "sub/a"]).is_ok());
        assert!(matches!(
            check(&["a", "b", "sub/../a"]),
            Err(OutputError::Twice { .. })
        ));
        #[cfg(unix)]
        assert!(check_outputs(&["/dev/null"], &[] as &[PathBuf]).is_err());
        let check_in = |place: &str, input: &str| {
            check_outputs_in(&folder.join(place), &["a", "b"], &[folder.join(input)])
        };
        std::fs::write(folder.join("sub/b"), b"input").unwrap();
        assert!(check_in("sub", "sub/a").is_ok());
        assert!(matches!(
            check_in("sub", "sub/../sub/b"),
            Err(OutputError::Input { .. })
        ));
        assert!(check_in("new/deep", "sub/b").is_ok());
        assert!(check_in("sub/b/deep", "sub/a").is_err());
        assert!(check_in("sub/b", "sub/a").is_err());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
