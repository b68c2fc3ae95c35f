//! The loss of both stages: cross-entropy and soft Dice, in the paper 0.2 and 0.8 of them.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Label that takes no part in the loss.
pub const IGNORED: u8 = 255;

/// The paper's share of the cross-entropy; the rest is Dice.
pub const CROSS_ENTROPY_WEIGHT: f32 = 0.2;

const SMOOTH: f32 = 1e-5;
/// Voxels' worth of probability that an absent class may take before it counts as wrong.
const ABSENT_VOXELS: f32 = 10.0;

/// The loss and its two parts, each a tensor of one value.
#[derive(Clone, Debug)]
pub struct SegmentationLoss {
    /// Weighted sum, to be minimised.
    pub total: Tensor<1>,
    /// Mean negative log-likelihood of a voxel.
    pub cross_entropy: Tensor<1>,
    /// One minus the mean soft Dice of the foreground classes.
    pub dice: Tensor<1>,
}

/// One plane per class with ones where the label is that class; nothing where it is
/// [`IGNORED`].
///
/// # Shapes
/// - `labels`: `shape` = `[batch, slice, row, column]`, flattened
/// - returns: `[batch, class, slice * row * column]`
pub fn one_hot(
    labels: Vec<f32>,
    shape: [usize; 4],
    num_classes: usize,
    device: &Device,
) -> Tensor<3> {
    let [batch, depth, height, width] = shape;
    let num_voxels = depth * height * width;
    assert_eq!(labels.len(), batch * num_voxels, "one label per voxel");
    debug_assert!(
        labels
            .iter()
            .all(|&label| label < num_classes as f32 || label == f32::from(IGNORED)),
        "a label beyond the classes"
    );
    // Planes are made where they are needed: a label is a number on its way to a card, its planes are dozens.
    let size = [batch, num_classes, num_voxels];
    let labels = TensorData::new(labels, [batch, 1, num_voxels]);
    let labels = Tensor::<3>::from_data(labels, device).expand(size);
    let classes = Tensor::<1, Int>::arange(0..num_classes as i64, device)
        .float()
        .reshape([1, num_classes, 1])
        .expand(size);
    labels.equal(classes).float()
}

/// Compares logits with a target made by [`one_hot`].
///
/// Soft Dice is taken over the whole batch, per foreground class; a class absent from the
/// target counts as perfect while fewer than ten voxels' worth of probability is spent on it.
///
/// # Shapes
/// - `logits`: `[batch, class, slice, row, column]`
/// - `target`: `[batch, class, slice * row * column]`
///
/// Source: paper, section 3.1.
pub fn segmentation_loss(
    logits: Tensor<5>,
    target: Tensor<3>,
    cross_entropy_share: f32,
) -> SegmentationLoss {
    let logits: Tensor<3> = logits.flatten(2, 4); // [b, n, v]
    let [_, classes, _] = logits.dims();
    let valid = target.clone().sum_dim(1);
    let num_valid = valid.clone().sum().clamp_min(1.0);

    let log_probability = log_softmax(logits, 1);
    let log_likelihood = (log_probability.clone() * target.clone()).sum();
    let cross_entropy = log_likelihood.neg() / num_valid;

    let foreground = classes - 1;
    let sum = |x: Tensor<3>| {
        x.narrow(1, 1, foreground)
            .sum_dim(2)
            .sum_dim(0)
            .reshape([foreground])
    };
    let probability = log_probability.exp() * valid;
    let shared = sum(probability.clone() * target.clone());
    let predicted = sum(probability);
    let present = sum(target);
    let is_rightly_absent = present
        .clone()
        .equal_scalar(0.0)
        .bool_and(predicted.clone().lower_scalar(ABSENT_VOXELS));
    let dice =
        (shared.mul_scalar(2.0).add_scalar(SMOOTH)) / (predicted + present).add_scalar(SMOOTH);
    let dice = dice.mask_fill(is_rightly_absent, 1.0).mean();
    let dice = dice.neg().add_scalar(1.0);

    let total = cross_entropy.clone().mul_scalar(cross_entropy_share)
        + dice.clone().mul_scalar(1.0 - cross_entropy_share);
    SegmentationLoss {
        total,
        cross_entropy,
        dice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: logits far apart and right everywhere.
    #[test]
    fn a_perfect_answer_costs_nothing() {
        let device = Device::flex();
        let labels = vec![0.0, 1.0, 2.0, 1.0];
        let target = one_hot(labels, [1, 1, 2, 2], 3, &device);
        let logits = target.clone().mul_scalar(50.0).reshape([1, 3, 1, 2, 2]);
        let loss = segmentation_loss(logits, target, CROSS_ENTROPY_WEIGHT);
        let total: f32 = loss.total.into_scalar();
        assert!(total < 1e-4, "{total}");
    }

    /// An absent class is only forgiven while hardly any probability is spent on it.
    #[test]
    fn an_absent_class_is_forgiven_below_ten_voxels() {
        let device = Device::flex();
        let loss = |voxels: usize| {
            let target = one_hot(vec![0.0; voxels], [1, 1, 1, voxels], 2, &device);
            let logits = Tensor::zeros([1, 2, 1, 1, voxels], &device);
            let dice: f32 = segmentation_loss(logits, target, CROSS_ENTROPY_WEIGHT)
                .dice
                .into_scalar();
            dice
        };
        assert!(loss(18).abs() < 1e-6, "nine voxels' worth");
        assert!((loss(22) - 1.0).abs() < 1e-5, "eleven voxels' worth");
    }
}
