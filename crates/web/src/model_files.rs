//! Which of the files that a visitor drops or chooses are a model.

/// Ending of weights.
const WEIGHTS: &str = ".safetensors";
/// What a model folder says of itself.
const MANIFEST: &str = "manifest.json";
/// A zip's index ends it; a model folder's is shorter than this.
const INDEX_BYTES: usize = 1 << 16;

/// The files of a model among some, named by paths with slashes, as their places. `is_scan` knows what is a scan by its name, `is_side`
/// what is none.
///
/// Weights make a folder a model. A manifest alone does so only where nothing else can be meant, as other programs' data has files of
/// that name too.
pub fn of_model(
    paths: &[&str],
    is_scan: impl Fn(&str) -> bool,
    is_side: impl Fn(&str) -> bool,
) -> Vec<usize> {
    let of_folder = |found: &str| -> Vec<usize> {
        let is_in_it =
            |place: &usize| folder(paths[*place]) == folder(found) && !is_scan(paths[*place]);
        (0..paths.len()).filter(is_in_it).collect()
    };
    // What lies in a model's folder may be the same model with its weights in fewer bits.
    let depth = |path: &&&str| path.matches('/').count();
    let weights = paths.iter().filter(|path| path.ends_with(WEIGHTS));
    if let Some(weights) = weights.min_by_key(depth) {
        return of_folder(weights);
    }
    match paths.iter().find(|path| name(path) == MANIFEST) {
        Some(manifest) if paths.iter().all(|path| is_side(path)) => of_folder(manifest),
        _ => Vec::new(),
    }
}

/// Whether a file is a zip with weights in it, by its beginning and its end.
pub fn is_zip_of_model(start: &[u8], end: &[u8]) -> bool {
    let mut names = end.windows(WEIGHTS.len());
    start.starts_with(b"PK\x03\x04") && names.any(|name| name == WEIGHTS.as_bytes())
}

/// Where a file's end begins of which [`is_zip_of_model`] has to know.
pub fn index_start(length: usize) -> usize {
    length.saturating_sub(INDEX_BYTES)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Where a file lies, with the slash at its end; nothing of one in no folder.
pub fn folder(path: &str) -> &str {
    &path[..path.len() - name(path).len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Archive;

    fn found(paths: &[&str]) -> Vec<usize> {
        let is_scan = |path: &str| path.ends_with(".nii");
        of_model(paths, is_scan, |path| {
            path.ends_with(".json") || path.ends_with(".md")
        })
    }

    #[test]
    fn weights_make_a_folder_a_model_and_leave_scans_alone() {
        let mine = ["m/LICENSE", "m/manifest.json", "m/w.safetensors"];
        assert_eq!(found(&mine), [0, 1, 2]);
        assert_eq!(found(&["a.nii", "manifest.json", "w.safetensors"]), [1, 2]);
        assert_eq!(
            found(&["b/x.json", "m/manifest.json", "m/w.safetensors"]),
            [1, 2]
        );
        assert_eq!(found(&["w.safetensors"]), [0]);
        let within = ["m/a/manifest.json", "m/a/w.safetensors"];
        assert_eq!(found(&[&within[..], &mine].concat()), [2, 3, 4]);
    }

    #[test]
    fn a_manifest_is_one_where_there_is_no_scan() {
        assert_eq!(found(&["m/README.md", "m/manifest.json"]), [0, 1]);
        assert!(found(&["study/IM0001", "study/manifest.json"]).is_empty());
        assert!(found(&["a.nii"]).is_empty());
    }

    #[test]
    fn a_zip_says_by_its_index_that_it_holds_weights() {
        let zip = |name| {
            let mut archive = Archive::new(0).unwrap();
            archive.add(name, &[0; 100_000]).unwrap();
            archive.finish().unwrap()
        };
        for (name, is_model) in [("m/w.safetensors", true), ("a.nii", false)] {
            let zip = zip(name);
            let end = &zip[index_start(zip.len())..];
            assert_eq!(is_zip_of_model(&zip[..4], end), is_model, "{name}");
        }
        assert!(!is_zip_of_model(b"text", b"w.safetensors"));
    }
}
