//! The loss against numbers of the reference implementation (PyTorch), see its README.

use super::folder::reference;
use burn::tensor::{Device, Tensor, TensorData};
use dinomed3d_core::train::loss::{CROSS_ENTROPY_WEIGHT, one_hot, segmentation_loss};
use safetensors::SafeTensors;

/// Total, cross-entropy and Dice loss for three targets: all classes, one absent, some ignored.
#[test]
fn reference_loss() {
    let reference = reference();
    let bytes = reference.read("loss").unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let device = Device::flex();
    let view = file.tensor("logits").unwrap();
    let shape: [usize; 5] = view.shape().try_into().unwrap();
    let values: Vec<f32> = view
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let logits = Tensor::<5>::from_data(TensorData::new(values, shape), &device);
    let [batch, classes, depth, height, width] = shape;
    let expected = reference.index["loss"]["total_ce_diceloss"]
        .as_object()
        .unwrap();
    assert_eq!(expected.len(), 3);
    for (name, numbers) in expected {
        let labels: Vec<f32> = file
            .tensor(&format!("target_{name}"))
            .unwrap()
            .data()
            .chunks_exact(8)
            .map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f32)
            .collect();
        let target = one_hot(labels, [batch, depth, height, width], classes, &device);
        let loss = segmentation_loss(logits.clone(), target, CROSS_ENTROPY_WEIGHT);
        let found = [loss.total, loss.cross_entropy, loss.dice].map(|t| t.into_scalar::<f32>());
        for (found, expected) in found.iter().zip(numbers.as_array().unwrap()) {
            let expected = expected.as_f64().unwrap();
            let error = (f64::from(*found) - expected).abs() / expected;
            println!("loss {name}: {found} against {expected}, relative error {error:.1e}");
            assert!(error < 1e-5, "{name}: {found} against {expected}");
        }
    }
}
