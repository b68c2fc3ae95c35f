//! Files beside the repository; without them some tests have nothing to read.

use std::path::PathBuf;

/// A file or folder of the shared data; none, and a word about it, where it is absent.
pub fn data(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
        .join("../../../shared/data")
        .join(name);
    if !path.exists() {
        println!("skipped: no shared/data/{name}");
        return None;
    }
    Some(path)
}
