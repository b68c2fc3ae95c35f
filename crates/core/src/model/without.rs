//! A network without one of its parts, to see what the part does.
//!
//! Nothing in the network knows of it: what is taken away is a module that may be absent, or its weights are such that the part
//! says nothing.

use super::dinomed3d::DinoMed3d;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What may be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The neighbours of a slice in the multi-slice embedding: in their places stands the slice itself.
    Neighbours,
    /// The 3-D adapters in the blocks.
    Adapters,
    /// The detail recovery stream: all its maps are zero.
    Detail,
    /// The transformer: all its tokens are zero.
    Transformer,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Neighbours,
        Self::Adapters,
        Self::Detail,
        Self::Transformer,
    ];

    /// Its name in files and addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Neighbours => "neighbours",
            Self::Adapters => "adapters",
            Self::Detail => "detail",
            Self::Transformer => "transformer",
        }
    }
}

impl DinoMed3d {
    /// The same network without a part; one that it does not have is not missed.
    #[must_use]
    pub fn without(&self, part: Part) -> Self {
        let mut network = self.clone();
        match part {
            Part::Neighbours => {
                let per_channel = 2 * self.num_neighbours + 1;
                network.vit = network.vit.of_own_slice(per_channel);
            }
            Part::Adapters => network.vit = network.vit.without_adapters(),
            Part::Detail => network.detail = network.detail.map(|stream| stream.map(&mut Zero)),
            Part::Transformer => network.vit = network.vit.map(&mut Zero),
        }
        network
    }
}

/// Sets all weights to zero; what their norms give is zero then, too.
struct Zero;

impl ModuleMapper for Zero {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weights| weights.zeros_like())
    }
}

#[cfg(test)]
mod tests {
    use super::super::DinoMed3dConfig;
    use super::*;
    use crate::infer::check::check_input;
    use burn::tensor::Device;

    fn difference(a: Tensor<5>, b: Tensor<5>) -> f32 {
        (a - b).abs().max().into_scalar()
    }

    /// Without neighbours each slice is seen as one whose neighbours are like it; the other parts are silent.
    #[test]
    fn a_part_that_is_taken_away_says_nothing() {
        let device = Device::flex();
        let network = DinoMed3dConfig::compact(3).init(&device);
        let volume = check_input(1, [3, 16, 16], &device);

        let one_slice = volume.clone().narrow(2, 1, 1);
        let alike = one_slice.clone().repeat_dim(2, 3);
        let adapted = network.without(Part::Adapters);
        let alone = adapted.without(Part::Neighbours);
        let [of_alike, of_alone] =
            [(&adapted, alike), (&alone, volume.clone())].map(|(net, input)| {
                let mut pass = net.start(input);
                while pass.remaining() > 2 {
                    pass.step();
                }
                pass.tokens().narrow(0, 1, 1)
            });
        let found: f32 = (of_alike - of_alone).abs().max().into_scalar();
        assert!(found < 1e-4, "{found}");

        let silent = network.without(Part::Transformer);
        let mut pass = silent.start(volume.clone());
        while pass.remaining() > 2 {
            pass.step();
        }
        assert!(
            pass.taps()
                .iter()
                .all(|tap| tap.clone().abs().max().into_scalar::<f32>() == 0.0)
        );

        let without_detail = network.without(Part::Detail);
        let mut pass = without_detail.start(volume.clone());
        while pass.remaining() > 1 {
            pass.step();
        }
        let maps = &pass.detail().expect("between its step and the decoder's").0;
        assert!(!maps.is_empty());
        assert!(
            maps.iter()
                .all(|map| map.clone().abs().max().into_scalar::<f32>() == 0.0)
        );

        let whole = network.forward(volume.clone());
        for part in [Part::Neighbours, Part::Detail, Part::Transformer] {
            let less = network.without(part).forward(volume.clone());
            assert!(difference(whole.clone(), less) > 1e-4, "{part:?}");
        }
    }
}
