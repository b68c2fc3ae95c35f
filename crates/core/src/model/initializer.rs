//! What a transformer's weights begin with.

use burn::module::Initializer;

/// As in DINOv3: normal, standard deviation 0.02.
pub(super) fn initializer() -> Initializer {
    Initializer::Normal {
        mean: 0.0,
        std: 0.02,
    }
}
