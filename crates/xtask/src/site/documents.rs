//! The project's documents as pages of the site: that of the method, those that models have, and what these link.

use super::markdown;
use crate::files;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// There whatever models there are.
const METHOD: &str = "method.md";

/// Writes the documents into `docs` of the site, with their pictures, and `models.json` beside them: the models that have one,
/// which is a document of the model's name.
///
/// # Errors
/// When a document has no title or shows a picture that does not lie beside it, and whatever the file system says.
pub fn write(root: &Path, dist: &Path) -> Result<()> {
    let (source, site) = (root.join("docs"), dist.join("docs"));
    let is_document = |file: &str| source.join(file).is_file();
    let list = root.join("public/models/index.json");
    let mut models: Vec<String> = fs::read(&list)
        .map_err(anyhow::Error::from)
        .and_then(|json| Ok(serde_json::from_slice(&json)?))
        .with_context(|| format!("reading {}", list.display()))?;
    models.retain(|model| is_document(&format!("{model}.md")));

    let mut documents = vec![METHOD.to_owned()];
    documents.extend(models.iter().map(|model| format!("{model}.md")));
    let mut next = 0;
    while let Some(document) = documents.get(next).cloned() {
        let path = source.join(&document);
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let html = markdown::render(&text, is_document);
        ensure!(!html.title.is_empty(), "{document} has no heading");
        for picture in html.pictures {
            ensure!(
                !picture.contains(['/', ':']),
                "{document} shows {picture}, which does not lie beside it"
            );
            files::copy(&source.join(&picture), &site.join(&picture))?;
        }
        let page = format!(
            include_str!("document.html"),
            title = html.title,
            body = html.body
        );
        let page_path = site.join(&document).with_extension("html");
        files::write_if_new(&page_path, page.as_bytes())?;
        for linked in html.documents {
            if !documents.contains(&linked) {
                documents.push(linked);
            }
        }
        next += 1;
    }
    files::write_if_new(&site.join("models.json"), &serde_json::to_vec(&models)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Places;
    use std::path::PathBuf;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("dinomed3d-documents-{name}-{}", std::process::id()))
    }

    /// A checkout with two models and these documents.
    fn checkout(name: &str, documents: &[(&str, &str)]) -> PathBuf {
        let root = folder(name);
        files::write_if_new(&root.join("public/models/index.json"), b"[\"a\",\"b\"]").unwrap();
        for (name, text) in documents {
            files::write_if_new(&root.join("docs").join(name), text.as_bytes()).unwrap();
        }
        root
    }

    #[test]
    fn documents_of_models_and_what_they_link_are_pages_with_their_pictures() {
        let root = checkout(
            "linked",
            &[
                (METHOD, "# Method"),
                ("a.md", "# A & B\n[c](c.md)\n![p](p.png)"),
                ("c.md", "# C\n[a](a.md)"),
                ("d.md", "# D"),
                ("p.png", "picture"),
                ("q.png", "picture"),
            ],
        );
        write(&root, &root.join("dist")).unwrap();
        let site = root.join("dist/docs");
        let written: Vec<String> = files::below(&site)
            .unwrap()
            .iter()
            .map(|path| files::name(path))
            .collect();
        assert_eq!(
            written,
            ["a.html", "c.html", "method.html", "models.json", "p.png"]
        );
        assert_eq!(
            fs::read_to_string(site.join("models.json")).unwrap(),
            "[\"a\"]"
        );
        let page = fs::read_to_string(site.join("a.html")).unwrap();
        assert!(
            page.contains("<title>A &amp; B · DINO-Med3D</title>"),
            "{page}"
        );
        assert!(page.contains("not a medical device"), "{page}");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_picture_that_is_not_there_or_lies_elsewhere_is_an_error() {
        for (name, picture, said) in [
            ("missing", "missing.png", "copying"),
            (
                "elsewhere",
                "../p.png",
                "method.md shows ../p.png, which does not lie beside it",
            ),
        ] {
            let root = checkout(name, &[(METHOD, &format!("# M\n![p]({picture})"))]);
            let error = write(&root, &root.join("dist")).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            fs::remove_dir_all(root).unwrap();
        }
    }

    /// The addresses in a page: relative ones, each with the heading that it leads to.
    fn addresses(page: &str) -> Vec<(&str, Option<&str>)> {
        [" href=\"", " src=\""]
            .iter()
            .flat_map(|attribute| page.split(attribute).skip(1))
            .filter_map(|rest| Some(rest.split_once('"')?.0))
            .filter(|address| !address.starts_with("https://"))
            .map(|address| match address.split_once('#') {
                Some((file, heading)) => (file, Some(heading)),
                None => (address, None),
            })
            .collect()
    }

    #[test]
    fn no_link_of_the_project_s_own_documents_is_dead() {
        let root = Places::find().unwrap().root;
        let dist = folder("own");
        write(&root, &dist).unwrap();
        let mut count = 0;
        for path in files::below(&dist).unwrap() {
            if !files::has_extension(&path, &["html"]) {
                continue;
            }
            let page = fs::read_to_string(&path).unwrap();
            for (file, heading) in addresses(&page) {
                count += 1;
                let target = match file {
                    "" => path.clone(),
                    file => dist.join("docs").join(file),
                };
                let served = root.join("public/docs").join(file);
                let what = format!("{file} {heading:?} in {}", path.display());
                assert!(target.exists() || served.exists(), "{what}");
                if let Some(heading) = heading {
                    let target = fs::read_to_string(target).unwrap();
                    assert!(target.contains(&format!(" id=\"{heading}\"")), "{what}");
                }
            }
        }
        assert!(count > 20, "{count} addresses");
        fs::remove_dir_all(dist).unwrap();
    }
}
