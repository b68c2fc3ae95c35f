//! The network in half precision, for devices that move or multiply 16 bits faster than 32.
//!
//! Only what lies in memory is rounded: sums, norms and whatever our kernels compute are of single precision.

use super::DinoMed3d;
use super::numbers::cast;
use burn::tensor::DType;

impl DinoMed3d {
    /// With all its weights rounded to 16 bits, in which it then passes every volume on; its logits are read as any others. Not for
    /// weights that are held quantised.
    pub fn in_half(self) -> Self {
        cast(self, DType::F16)
    }
}

#[cfg(test)]
mod tests {
    use crate::infer::check::{CHECK_SHAPE, CheckErrors, HALF_TOLERANCE, answer};
    use crate::model::DinoMed3dConfig;
    use burn::tensor::{DType, Device};

    /// On the processor, whose numbers of 16 bits are Burn's own.
    #[test]
    fn answers_are_the_same_to_few_digits() {
        let device = Device::flex();
        let single = DinoMed3dConfig::compact(3).init(&device);
        let half = single.clone().in_half();
        let pass = half.start(crate::infer::check::check_input(1, CHECK_SHAPE, &device));
        assert_eq!(pass.tokens().dtype(), DType::F16);
        let answer = |network| pollster::block_on(answer(network, CHECK_SHAPE, &device)).unwrap();
        let errors = CheckErrors::between(&answer(&half), &answer(&single), HALF_TOLERANCE);
        assert!(errors.are_tolerable(), "{errors}");
        assert!(errors.logits > 0.0, "nothing was rounded");
    }
}
