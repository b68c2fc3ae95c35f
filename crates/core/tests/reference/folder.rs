//! Where the reference numbers are.

use dinomed3d_core::reference::Reference;
use std::path::PathBuf;

/// Those of the repository, or of the folder that `DINOMED3D_REFERENCE` names.
pub fn reference() -> Reference {
    let named = std::env::var_os("DINOMED3D_REFERENCE").map(PathBuf::from);
    let own = || {
        PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
            .join("tests/reference/numbers")
    };
    Reference::open(&named.unwrap_or_else(own)).unwrap()
}
