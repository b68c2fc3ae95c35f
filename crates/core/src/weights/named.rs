//! The parameters of a module under their names.

use super::WeightsError;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use std::collections::BTreeMap;

/// One parameter: its shape and values, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Edge of each dimension.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// Parameters by name, such as `vit.blocks.0.attn.qkv.weight`.
pub type NamedTensors = BTreeMap<String, NamedTensor>;

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    tensors: NamedTensors,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().iter::<f32>().collect();
        self.tensors
            .insert(self.path.join("."), NamedTensor { shape, values });
    }
}

/// Reads every parameter of `module`. Natively only: it waits for the device.
pub fn named_tensors<M: Module>(module: &M) -> NamedTensors {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.tensors
}

struct Loader {
    path: Vec<String>,
    tensors: NamedTensors,
    missing: Vec<String>,
    wrong_shape: Option<WeightsError>,
}

impl ModuleMapper for Loader {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let expected = param.lazy_shape().to_vec();
        match self.tensors.remove(&name) {
            None => {
                self.missing.push(name);
                param
            }
            Some(tensor) if tensor.shape != expected => {
                self.wrong_shape.get_or_insert(WeightsError::Shape {
                    name,
                    found: tensor.shape,
                    expected,
                });
                param
            }
            Some(tensor) => {
                let device = param.lazy_device();
                let data = TensorData::new(tensor.values, tensor.shape);
                let (id, _, mapper) = param.consume();
                Param::from_mapped_value(id, Tensor::from_data(data, &device), mapper)
            }
        }
    }
}

/// Puts `tensors` in the place of the parameters of `module`, all of them and nothing else.
///
/// # Errors
/// [`WeightsError::Missing`], [`WeightsError::Unused`] or [`WeightsError::Shape`], naming the
/// tensors.
pub fn load_into<M: Module>(module: M, tensors: NamedTensors) -> Result<M, WeightsError> {
    let mut loader = Loader {
        path: Vec::new(),
        tensors,
        missing: Vec::new(),
        wrong_shape: None,
    };
    let module = module.map(&mut loader);
    if let Some(error) = loader.wrong_shape {
        return Err(error);
    }
    if !loader.missing.is_empty() {
        return Err(WeightsError::Missing(loader.missing));
    }
    if !loader.tensors.is_empty() {
        return Err(WeightsError::Unused(loader.tensors.into_keys().collect()));
    }
    Ok(module)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    #[test]
    fn a_module_takes_back_what_it_gave() {
        let device = Device::flex();
        let one = LinearConfig::new(3, 2).init(&device);
        let other = LinearConfig::new(3, 2).init(&device);
        let tensors = named_tensors(&one);
        assert_eq!(tensors.keys().collect::<Vec<_>>(), ["bias", "weight"]);
        let other = load_into(other, tensors.clone()).unwrap();
        assert_eq!(named_tensors(&other), tensors);
    }

    #[test]
    fn missing_left_over_and_misshapen_tensors_are_named() {
        let device = Device::flex();
        let module = || LinearConfig::new(3, 2).init(&device);
        let full = named_tensors(&module());

        let mut lacking = full.clone();
        lacking.remove("bias");
        let error = load_into(module(), lacking).unwrap_err().to_string();
        assert!(
            error.contains("lacks 1") && error.contains("bias"),
            "{error}"
        );

        let mut extra = full.clone();
        extra.insert("stray".into(), full["bias"].clone());
        let error = load_into(module(), extra).unwrap_err().to_string();
        assert!(error.contains("stray"), "{error}");

        let mut misshapen = full;
        misshapen.get_mut("weight").unwrap().shape = vec![2, 3];
        let error = load_into(module(), misshapen).unwrap_err().to_string();
        assert!(
            error.contains("[2, 3]") && error.contains("[3, 2]"),
            "{error}"
        );
    }
}
