//! How much arithmetic a window takes, counted from the weights: each is used once at every place of its layer.

use super::DinoMed3dConfig;
use super::decoder::DecoderConfig;

/// Multiplications with an addition that a network takes for a window.
///
/// # Shapes
/// - `weights`: name and shape of each parameter, as in a weights file
/// - `window`: `[slice, row, column]`
pub fn multiply_adds<'a>(
    weights: impl Iterator<Item = (&'a str, &'a [usize])>,
    network: &DinoMed3dConfig,
    window: [usize; 3],
) -> u64 {
    let [slices, rows, columns] = window.map(|edge| edge as u64);
    let in_plane = |factor: u64| slices * rows.div_ceil(factor) * columns.div_ceil(factor);
    let patches = in_plane(network.vit.patch_size as u64);
    let tokens = patches + slices * (1 + network.vit.num_registers as u64);
    let of_layers: u64 = weights
        // Biases and norms add and scale; that is not counted.
        .filter(|(name, shape)| {
            shape.len() > 1 && !name.ends_with("_token") && !name.ends_with("_tokens")
        })
        .map(|(name, shape)| {
            let places = match factor_of(name, network) {
                Some(factor) => in_plane(factor),
                None if name.contains("patch_embed") || name.contains("adapter") => patches,
                None => tokens,
            };
            places * shape.iter().product::<usize>() as u64
        })
        .sum();
    // Every token of a slice looks at every other, and takes of it what it sees.
    let attention = 2 * tokens * (tokens / slices) * network.vit.embed_dim as u64;
    of_layers + network.vit.depth as u64 * attention
}

/// In how many pixels of a slice's edge a layer has one place; none for those on tokens.
fn factor_of(name: &str, network: &DinoMed3dConfig) -> Option<u64> {
    let parts: Vec<&str> = name.split('.').collect();
    let first = if network.detail.blocks[0] == 0 { 2 } else { 1 };
    match (parts[0], *parts.get(1)?) {
        ("detail", "levels") => Some(first << parts.get(2)?.parse::<u32>().ok()?),
        ("detail", "stem") => Some(first),
        ("detail", "full") => Some(1),
        ("detail", _) => Some(4),
        ("decoder", layer) => Some(match (&network.decoder, layer) {
            (DecoderConfig::Light(_), "taps" | "mix" | "to_quarter") => {
                network.vit.patch_size as u64
            }
            (DecoderConfig::Light(_), "refine_half" | "head") => 2,
            (DecoderConfig::Light(_), "full") if parts.get(2) == Some(&"to_full") => 2,
            (DecoderConfig::Light(_), "full") => 1,
            (_, "refine_half") => 2,
            (_, "refine_full" | "head") => 1,
            _ => 4,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::adaptation::Adaptation;
    use crate::model::detail::DetailConfig;
    use crate::model::light_decoder::LightDecoderConfig;
    use crate::model::vit::VitConfig;

    /// By hand, for a window of 2 slices of 32 × 16: 2 × 2 × 1 patches of 16, and 5 more tokens a slice.
    #[test]
    fn every_layer_counts_at_its_own_places() {
        let network = DinoMed3dConfig::new(
            3,
            VitConfig::new(8, 2, 2, 16),
            Adaptation::None,
            DetailConfig::new(),
            DecoderConfig::Light(LightDecoderConfig::new()),
        );
        let count = |name: &str, shape: &[usize]| {
            let all = multiply_adds([(name, shape)].into_iter(), &network, [2, 32, 16]);
            all - multiply_adds(std::iter::empty(), &network, [2, 32, 16])
        };
        let attention = multiply_adds(std::iter::empty(), &network, [2, 32, 16]);
        // 2 blocks, products with keys and values, 14 tokens that look at 7 each of width 8.
        assert_eq!(attention, 2 * 2 * 14 * 7 * 8);
        for (name, shape, places) in [
            ("vit.patch_embed.proj.weight", &[8, 3, 16, 16][..], 4),
            ("vit.blocks.0.attn.qkv.weight", &[8, 24], 14),
            ("vit.blocks.1.adapter.down.weight", &[8, 2], 4),
            ("vit.cls_token", &[1, 1, 8], 0),
            ("vit.norm.weight", &[8], 0),
            ("detail.stem.weight", &[16, 4, 3, 3, 3], 2 * 16 * 8),
            (
                "detail.levels.1.0.conv1.weight",
                &[32, 16, 3, 3, 3],
                2 * 8 * 4,
            ),
            ("decoder.mix.conv.weight", &[64, 128, 3, 3, 3], 4),
            (
                "decoder.refine_quarter.conv.weight",
                &[48, 48, 3, 3, 3],
                2 * 8 * 4,
            ),
            ("decoder.head.weight", &[12, 24], 2 * 16 * 8),
            ("decoder.full.conv1.weight", &[4, 8, 3, 3, 3], 2 * 32 * 16),
        ] {
            let weights: usize = shape.iter().product();
            assert_eq!(count(name, shape), (places * weights) as u64, "{name}");
        }
    }
}
