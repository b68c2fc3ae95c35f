//! The mean of the weights of several trainings that began with the same.

use super::{NamedTensors, WeightsError};

/// The mean of each value over several networks of one shape; summed in double precision.
///
/// It is a network of its own, of the cost of one; whether it is a better one than each must be measured, and of
/// trainings that did not begin with the same weights it is none that works.
///
/// Source: Wortsman et al. 2022, "Model soups", arXiv:2203.05482 (there the uniform soup).
///
/// # Errors
/// [`WeightsError::Missing`], [`WeightsError::Unused`] or [`WeightsError::Shape`] where one has other tensors than the
/// first.
///
/// # Panics
/// If there is none.
pub fn average(networks: &[NamedTensors]) -> Result<NamedTensors, WeightsError> {
    let first = &networks[0];
    for other in &networks[1..] {
        let lacking = |a: &NamedTensors, b: &NamedTensors| -> Vec<String> {
            let names = a.keys().filter(|name| !b.contains_key(*name));
            names.cloned().collect()
        };
        let (missing, unused) = (lacking(first, other), lacking(other, first));
        if !missing.is_empty() {
            return Err(WeightsError::Missing(missing));
        }
        if !unused.is_empty() {
            return Err(WeightsError::Unused(unused));
        }
    }
    let mut mean = first.clone();
    for (name, tensor) in &mut mean {
        let mut sums: Vec<f64> = vec![0.0; tensor.values.len()];
        for network in networks {
            let other = &network[name];
            if other.shape != tensor.shape {
                return Err(WeightsError::Shape {
                    name: name.clone(),
                    found: other.shape.clone(),
                    expected: tensor.shape.clone(),
                });
            }
            for (sum, value) in sums.iter_mut().zip(&other.values) {
                *sum += f64::from(*value);
            }
        }
        for (value, sum) in tensor.values.iter_mut().zip(sums) {
            *value = (sum / networks.len() as f64) as f32;
        }
    }
    Ok(mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::NamedTensor;

    fn network(name: &str, values: &[f32]) -> NamedTensors {
        let tensor = NamedTensor {
            shape: vec![values.len()],
            values: values.to_vec(),
        };
        NamedTensors::from([(name.to_owned(), tensor)])
    }

    /// By hand.
    #[test]
    fn each_value_is_the_mean() {
        let [a, b, c] = [[1.0, -4.0], [2.0, 0.0], [6.0, 1.0]].map(|v| network("w", &v));
        let mean = average(&[a.clone(), b, c]).unwrap();
        assert_eq!(mean, network("w", &[3.0, -1.0]));
        assert_eq!(average(std::slice::from_ref(&a)).unwrap(), a);
    }

    #[test]
    fn other_tensors_are_named() {
        let found = |a, b| average(&[a, b]).unwrap_err().to_string();
        let missing = found(network("a", &[1.0]), network("b", &[1.0]));
        assert!(
            missing.contains("lacks 1") && missing.ends_with(": a"),
            "{missing}"
        );
        let shape = found(network("a", &[1.0]), network("a", &[1.0, 2.0]));
        assert!(shape.contains("[2]") && shape.contains("[1]"), "{shape}");
    }
}
