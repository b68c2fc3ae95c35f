//! Surface distances and Dice against medpy's numbers.

use super::folder::reference;
use dinomed3d_volume::metrics::{SurfaceDistances, dice, evaluate_case};
use dinomed3d_volume::{Affine, LabelMap};
use safetensors::SafeTensors;

#[test]
fn reference_metrics() {
    let reference = reference();
    let bytes = reference.read("metrics").unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mask = |name: &str| {
        let tensor = tensors.tensor(name).unwrap();
        let shape: [usize; 3] = tensor.shape().try_into().unwrap();
        (tensor.data().to_vec(), shape)
    };
    let ((a, shape), (b, _)) = (mask("a"), mask("b"));
    let medpy = reference.index["metrics"]["medpy"].as_object().unwrap();
    assert!(!medpy.is_empty());

    let mut worst = 0.0f64;
    for (spacing, expected) in medpy {
        let spacing: Vec<f64> = spacing
            .trim_matches(['(', ')'])
            .split(',')
            .map(|v| v.trim().parse().unwrap())
            .collect();
        let spacing: [f64; 3] = spacing.try_into().unwrap();
        let found =
            SurfaceDistances::measure(|i| a[i] != 0, |i| b[i] != 0, shape, spacing).unwrap();
        // As a case of two label maps as well, where spacing is x, y, z.
        let map = |labels: &[u8]| LabelMap {
            labels: labels.iter().map(|&v| u8::from(v != 0)).collect(),
            shape,
            affine: Affine::from_spacing_mm([spacing[2], spacing[1], spacing[0]]),
        };
        let case = evaluate_case(&map(&a), &map(&b), &[1]).unwrap().remove(0);
        let numbers = [
            ("hd95", found.hd95()),
            ("hd", found.hd()),
            ("asd", found.asd()),
            ("assd", found.assd()),
            ("dice", dice(&map(&a).labels, &map(&b).labels, 1)),
            ("hd95", case.hd95_mm.unwrap()),
            ("hd", case.hd_mm.unwrap()),
            ("assd", case.assd_mm.unwrap()),
            ("dice", case.dice.unwrap_or(f64::NAN)),
        ];
        for (name, number) in numbers {
            let wanted = expected[name].as_f64().unwrap();
            worst = worst.max((number - wanted).abs());
            assert!(
                (number - wanted).abs() <= 1e-6,
                "{name} at {spacing:?}: {number} is not {wanted}"
            );
        }
    }
    println!("metrics: largest difference {worst:.1e}");
}
