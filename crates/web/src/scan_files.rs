//! Which of the files that a visitor drops or chooses are a scan each, and which belong together.

use std::path::Path;

use dinomed3d_volume::companions;

use crate::model_files;
use crate::words;

/// Files that say something of the scans beside them and are none.
const SIDE_FILES: [&str; 9] = [
    "json", "tsv", "csv", "txt", "md", "bval", "bvec", "html", "log",
];

/// The files of a scan, or several of which only reading them can tell what they are.
#[derive(Debug, PartialEq, Eq)]
pub struct ScanFiles {
    /// What they are called together.
    pub name: String,
    /// Which of all.
    pub files: Vec<usize>,
    /// Whether they are a model and no scan.
    pub is_model: bool,
}

/// What a file is, by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A scan, or a zip of some.
    Whole,
    /// Of a pair.
    Half,
    /// One of a DICOM series, or nothing that has an ending.
    Slice,
    /// No scan.
    Side,
    /// Anything.
    Other,
}

/// Sorts files, named by paths with slashes. Files whose names say that they are scans are one each, a pair is one, and what may be
/// DICOM is one together; something else is tried if it was chosen by itself and not in a folder. Where no name says anything, all
/// are one. A model's files are one too, and come last.
pub fn sorted(paths: &[&str]) -> Vec<ScanFiles> {
    let all = |files: Vec<usize>, is_model| {
        let names: Vec<&str> = files.iter().map(|&file| paths[file]).collect();
        let name = words::files_name(&names).to_owned();
        ScanFiles {
            name,
            files,
            is_model,
        }
    };
    let of_model = model_files::of_model(
        paths,
        |path| matches!(kind(path), Kind::Whole | Kind::Half),
        |path| kind(path) == Kind::Side,
    );
    if !of_model.is_empty() {
        let rest: Vec<usize> = (0..paths.len())
            .filter(|file| !of_model.contains(file) && !matches!(kind(paths[*file]), Kind::Side))
            .collect();
        let of_rest: Vec<&str> = rest.iter().map(|&file| paths[file]).collect();
        let mut sorted = if rest.is_empty() {
            Vec::new()
        } else {
            self::sorted(&of_rest)
        };
        // A model within the model's folder is the same with its weights in fewer bits.
        let folder = model_files::folder(paths[of_model[0]]);
        sorted.retain(|found| !(found.is_model && of_rest[found.files[0]].starts_with(folder)));
        for scan in &mut sorted {
            scan.files.iter_mut().for_each(|file| *file = rest[*file]);
        }
        sorted.push(all(of_model, true));
        return sorted;
    }
    let companion = |path: &str| {
        let names = companions(Path::new(path));
        let is_it = |other: &&str| names.iter().any(|name| name == Path::new(other));
        paths.iter().position(is_it)
    };
    let mut scans = Vec::new();
    let mut slices = Vec::new();
    let mut others = Vec::new();
    for (file, path) in paths.iter().enumerate() {
        match kind(path) {
            Kind::Whole => scans.push(vec![file]),
            Kind::Half => match companion(path) {
                Some(other) if other > file => scans.push(vec![file, other]),
                Some(_) => {}
                // Some scanners' series are called that.
                None if path.to_ascii_lowercase().ends_with(".img") => slices.push(file),
                None => scans.push(vec![file]),
            },
            Kind::Slice => slices.push(file),
            Kind::Other if !path.contains('/') => others.push(file),
            Kind::Side | Kind::Other => {}
        }
    }
    if scans.is_empty() {
        return vec![all((0..paths.len()).collect(), false)];
    }
    scans.extend(others.into_iter().map(|file| vec![file]));
    scans.sort_unstable();
    let names = names(
        &scans
            .iter()
            .map(|files| paths[files[0]])
            .collect::<Vec<_>>(),
    );
    let mut sorted: Vec<ScanFiles> = names
        .into_iter()
        .zip(scans)
        .map(|(name, files)| ScanFiles {
            name,
            files,
            is_model: false,
        })
        .collect();
    if !slices.is_empty() {
        sorted.push(all(slices, false));
    }
    sorted
}

/// Which files are in none of these: they said by their names that they are no scans. What an operating system hides nobody misses.
pub fn left_out<'a>(paths: &[&'a str], sorted: &[ScanFiles]) -> Vec<&'a str> {
    let is_taken = |file: &usize| sorted.iter().any(|scan| scan.files.contains(file));
    let left = (0..paths.len()).filter(|file| !is_taken(file));
    let names = left.map(|file| file_name(paths[file]));
    names.filter(|name| !name.starts_with('.')).collect()
}

fn kind(path: &str) -> Kind {
    let name = file_name(path).to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    if name.starts_with('.') {
        return Kind::Side;
    }
    let Some((_, ending)) = plain.rsplit_once('.') else {
        return Kind::Slice;
    };
    match ending {
        "nii" | "mgh" | "mgz" | "zip" => Kind::Whole,
        "hdr" | "img" => Kind::Half,
        "dcm" | "ima" | "dicom" => Kind::Slice,
        // As in 1.2.840.10008.
        _ if ending.bytes().all(|byte| byte.is_ascii_digit()) => Kind::Slice,
        _ if SIDE_FILES.contains(&ending) => Kind::Side,
        _ => Kind::Other,
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The names of files, or their paths below what was chosen where two have the same name.
fn names(paths: &[&str]) -> Vec<String> {
    let names: Vec<&str> = paths.iter().map(|path| file_name(path)).collect();
    let is_repeated = |(place, name): (usize, &&str)| names[..place].contains(name);
    if !names.iter().enumerate().any(is_repeated) {
        return names.into_iter().map(str::to_owned).collect();
    }
    let below = |path: &&str| {
        path.split_once('/')
            .map_or(*path, |(_, below)| below)
            .to_owned()
    };
    paths.iter().map(below).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names with the paths of their files.
    fn said(paths: &[&str]) -> Vec<String> {
        let said = |scan: &ScanFiles| {
            let files: Vec<&str> = scan.files.iter().map(|&file| paths[file]).collect();
            let model = if scan.is_model { "model " } else { "" };
            format!("{model}{} = {}", scan.name, files.join(" "))
        };
        sorted(paths).iter().map(said).collect()
    }

    #[test]
    fn scans_are_one_each_and_a_pair_is_one() {
        assert_eq!(
            said(&[
                "a.nii", "b.hdr", "b.img", "c.NII.GZ", "d.mgz", "e.zip", "f.hdr"
            ]),
            [
                "a.nii = a.nii",
                "b.hdr = b.hdr b.img",
                "c.NII.GZ = c.NII.GZ",
                "d.mgz = d.mgz",
                "e.zip = e.zip",
                "f.hdr = f.hdr"
            ]
        );
        assert_eq!(
            said(&["pair.hdr", "pair.img"]),
            ["pair.hdr = pair.hdr pair.img"]
        );
    }

    #[test]
    fn what_lies_beside_scans_is_passed_over_and_what_was_chosen_itself_is_tried() {
        assert_eq!(
            said(&[
                "set/.DS_Store",
                "set/._a.nii",
                "set/a.nii",
                "set/a.json",
                "set/lh.white"
            ]),
            ["a.nii = set/a.nii"]
        );
        assert_eq!(
            said(&["a.json", "a.nii", "b.nrrd", "c.nii"]),
            ["a.nii = a.nii", "b.nrrd = b.nrrd", "c.nii = c.nii"]
        );
    }

    #[test]
    fn a_model_in_a_model_s_folder_is_no_other_one() {
        let found = said(&[
            "m/four-bits/manifest.json",
            "m/four-bits/w4.safetensors",
            "m/manifest.json",
            "m/w.safetensors",
            "s/a.nii",
        ]);
        assert_eq!(
            found,
            [
                "a.nii = s/a.nii",
                "model m = m/manifest.json m/w.safetensors"
            ]
        );
        let two = ["m/manifest.json", "m/w.safetensors"];
        let others = ["n/manifest.json", "n/w.safetensors"];
        assert_eq!(said(&[two, others].concat()).len(), 2);
    }

    #[test]
    fn what_may_be_a_series_stays_together() {
        for paths in [
            &["study/1.2.3.4", "study/IM0001", "study/read me.txt"][..],
            &["study/1.img", "study/2.img", "study/3.img"],
            &["study/a.json", "study/b.txt", "study/c.xml"],
        ] {
            let scans = sorted(paths);
            assert_eq!((scans.len(), &*scans[0].name), (1, "study"));
            assert_eq!(scans[0].files, [0, 1, 2]);
        }
        assert_eq!(
            said(&["1-001.dcm", "1-002.ima", "a.nii"]),
            ["a.nii = a.nii", "1-001.dcm = 1-001.dcm 1-002.ima"]
        );
        assert_eq!(said(&["only.txt"]), ["only.txt = only.txt"]);
    }

    #[test]
    fn a_model_is_no_scan_and_scans_beside_it_are() {
        assert_eq!(
            said(&["mine/README.md", "mine/manifest.json", "mine/w.safetensors"]),
            ["model mine = mine/README.md mine/manifest.json mine/w.safetensors"]
        );
        assert_eq!(
            said(&["a.nii", "b.hdr", "b.img", "manifest.json", "w.safetensors"]),
            [
                "a.nii = a.nii",
                "b.hdr = b.hdr b.img",
                "model manifest.json = manifest.json w.safetensors"
            ]
        );
    }

    #[test]
    fn of_files_with_one_name_the_folders_tell_which_is_which() {
        assert_eq!(
            said(&["set/01/t1.nii", "set/02/t1.nii"]),
            ["01/t1.nii = set/01/t1.nii", "02/t1.nii = set/02/t1.nii"]
        );
    }
}
