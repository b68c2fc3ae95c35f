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

/// Where in a module a visitor is.
///
/// Variants of an enum are left out: which of two feed-forward networks a block has says its
/// config, and `mlp.fc1` reads better than `mlp.Mlp.fc1`.
#[derive(Debug, Default)]
pub(crate) struct ParameterPath(Vec<String>);

impl ParameterPath {
    pub fn enter(&mut self, name: &str, container_type: &str) {
        if !is_enum(container_type) {
            self.0.push(name.to_owned());
        }
    }

    pub fn exit(&mut self, container_type: &str) {
        if !is_enum(container_type) {
            self.0.pop();
        }
    }

    pub fn name(&self) -> String {
        self.0.join(".")
    }
}

/// Burn's derive writes `Enum:` before the name of the type.
fn is_enum(container_type: &str) -> bool {
    container_type.starts_with("Enum:")
}

#[derive(Default)]
struct Collector {
    path: ParameterPath,
    tensors: NamedTensors,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().iter::<f32>().collect();
        self.tensors
            .insert(self.path.name(), NamedTensor { shape, values });
    }
}

/// Reads every parameter of `module`. Natively only: it waits for the device.
pub fn named_tensors<M: Module>(module: &M) -> NamedTensors {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.tensors
}

#[derive(Default)]
struct ShapeCollector {
    path: ParameterPath,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for ShapeCollector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.shapes
            .insert(self.path.name(), param.lazy_shape().to_vec());
    }
}

/// The shape of every parameter of `module`; nothing is computed for it.
pub fn parameter_shapes<M: Module>(module: &M) -> BTreeMap<String, Vec<usize>> {
    let mut collector = ShapeCollector::default();
    module.visit(&mut collector);
    collector.shapes
}

struct Loader {
    path: ParameterPath,
    tensors: NamedTensors,
    missing: Vec<String>,
    wrong_shape: Option<WeightsError>,
}

impl ModuleMapper for Loader {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.exit(container_type);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
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
        path: ParameterPath::default(),
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
