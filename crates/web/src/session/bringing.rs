//! Files of the visitor and samples of the site, read by the browser and told to the work.

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Session;
use crate::archive::Archive;
use crate::browser::{self, VisitorFile};
use crate::language::{failure, status};
use crate::model_files;
use crate::protocol::Failure;
use crate::scan_files::{self, ScanFiles};
use crate::words;
use crate::work::{Brought, Sample};

impl Session {
    /// Takes what the visitor chose or dropped, which was called `name` there: the file of a scan as it is, several of one as a zip.
    pub fn open_files(
        self,
        name: &str,
        files: impl Future<Output = Result<Vec<VisitorFile>, String>> + 'static,
    ) {
        let Some(job) = self.tell(|work| work.open(status::reading(name))) else {
            return;
        };
        let name = name.to_owned();
        spawn_local(async move {
            let (scans, left_out) = bring_all(name, files.await).await;
            self.tell(|work| {
                work.leave_out(left_out);
                work.brought(job, scans);
            });
        });
    }

    /// Takes one of the site's own samples.
    pub fn open_sample(self, sample: Sample) {
        let Some(job) = self.tell(|work| work.open_sample(sample)) else {
            return;
        };
        spawn_local(async move {
            let bytes = self.fetch_sample(sample).await.map_err(|problem| Failure {
                what: problem,
                advice: failure::CHECK_CONNECTION_OR_OPEN.to_owned(),
                is_fatal: false,
            });
            let name = sample.file.to_owned();
            let scan = Brought {
                name,
                bytes,
                is_model: false,
            };
            self.tell(|work| work.brought(job, vec![scan]));
        });
    }

    pub(super) async fn fetch_sample(
        self,
        Sample { file, .. }: Sample,
    ) -> Result<Uint8Array, String> {
        let fetched = self
            .inner
            .with_value(|inner| inner.samples.get(file).cloned());
        if let Some(bytes) = fetched {
            return Ok(bytes);
        }
        let bytes = browser::fetch_bytes(&format!("samples/{file}")).await?;
        self.inner.update_value(|inner| {
            inner.samples.insert(file, bytes.clone());
        });
        Ok(bytes)
    }
}

/// The scans among files that were called `name`, or why there are none; and what is to be said of files that are none.
async fn bring_all(
    name: String,
    files: Result<Vec<VisitorFile>, String>,
) -> (Vec<Brought<Uint8Array>>, String) {
    let failure = |what| Failure {
        what,
        advice: failure::CHECK_FILE.to_owned(),
        is_fatal: false,
    };
    let files = match files {
        Ok(files) if files.is_empty() => Err(failure::no_files(&name)),
        Ok(files) => Ok(files),
        Err(problem) => Err(failure::not_read(&name, &problem)),
    };
    let files = match files {
        Ok(files) => files,
        Err(what) => {
            let none = Brought {
                name,
                bytes: Err(failure(what)),
                is_model: false,
            };
            return (vec![none], String::new());
        }
    };
    let paths: Vec<_> = files.iter().map(|file| &*file.path).collect();
    let mut scans = Vec::new();
    let sorted = scan_files::sorted(&paths);
    let left_out = words::left_out(&scan_files::left_out(&paths, &sorted));
    for scan in sorted {
        let of_scan: Vec<&VisitorFile> = scan.files.iter().map(|&file| &files[file]).collect();
        let ScanFiles { name, is_model, .. } = scan;
        let bytes = bring(&name, &of_scan, is_model).await.map_err(failure);
        let is_model = is_model || bytes.as_ref().is_ok_and(is_zip_of_model);
        scans.push(Brought {
            name,
            bytes,
            is_model,
        });
    }
    (scans, left_out)
}

fn is_zip_of_model(bytes: &Uint8Array) -> bool {
    let length = bytes.length();
    let end = model_files::index_start(length as usize) as u32;
    let part = |from, to| bytes.subarray(from, to).to_vec();
    model_files::is_zip_of_model(&part(0, 4), &part(end, length))
}

/// The bytes of a file, or of a zip of several; of a model always of a zip.
async fn bring(name: &str, files: &[&VisitorFile], is_model: bool) -> Result<Uint8Array, String> {
    let unread = |path: &str, problem: String| failure::not_read(path, &problem);
    match files {
        [only] if !is_model => {
            let bytes = browser::read_file(&only.file).await;
            bytes.map_err(|problem| unread(name, problem))
        }
        _ => {
            let count = files.len();
            let unpacked = |problem: String| failure::not_taken(name, count, &problem);
            let sizes = files.iter().map(|file| file.file.size() as usize);
            let mut archive = Archive::new(sizes.sum()).map_err(unpacked)?;
            for VisitorFile { path, file } in files.iter().copied() {
                let bytes = browser::read_file(file).await;
                let bytes = bytes.map_err(|problem| unread(path, problem))?.to_vec();
                archive.add(path, &bytes).map_err(unpacked)?;
            }
            let zip = archive.finish().map_err(unpacked)?;
            Ok(Uint8Array::from(&zip[..]))
        }
    }
}
