//! Checkpoints of the reference's names, written and taken over by the program's own way.

use dinomed3d_core::model::vit::VitConfig;
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::import::initialize::transformer_shapes;
use dinomed3d_core::weights::import::{Checkpoint, Identity, Scope, import};
use dinomed3d_core::weights::{NamedTensors, encode};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

static WRITTEN: AtomicUsize = AtomicUsize::new(0);

/// Writes a checkpoint into a scratch folder; tests that run at once write different files.
pub fn written(tensors: &NamedTensors, name: &str) -> PathBuf {
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("dinomed3d-reference-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{number}-{name}.safetensors"));
    std::fs::write(&path, encode(tensors, Quantization::None).unwrap()).unwrap();
    path
}

/// The transformer of a checkpoint.
pub fn imported(path: &Path, config: &VitConfig, scope: Scope) -> NamedTensors {
    let checkpoint = Checkpoint::open(path).unwrap();
    let identity = Identity::of(&checkpoint).unwrap();
    import(&checkpoint, &identity, &transformer_shapes(config), scope)
        .unwrap()
        .tensors
}
