//! The parameters of a module under their names.

use super::quantization::{Bits, Quantized};
use super::{NamedTensor, NamedTensors, WeightBytes, WeightsError, WeightsReader};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, ScaleDtype};
use burn::tensor::{DType, Tensor, TensorData};
use std::collections::{BTreeMap, BTreeSet};

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

/// How a network holds weights that a file has in fewer bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// In floating point: fastest.
    Widened,
    /// Those of linear maps as they are, to be widened whenever they are used: least memory.
    Quantized,
}

/// Where parameters come from.
trait Parameters {
    /// The data of a parameter, which then is taken; none of an unknown name. `is_linear` is the weight of a linear map.
    fn take(&mut self, name: &str, is_linear: bool) -> Result<Option<TensorData>, WeightsError>;

    /// Names of those that were not taken.
    fn left(self) -> Vec<String>;
}

impl Parameters for NamedTensors {
    fn take(&mut self, name: &str, _is_linear: bool) -> Result<Option<TensorData>, WeightsError> {
        let tensor = self.remove(name);
        Ok(tensor.map(|tensor| TensorData::new(tensor.values, tensor.shape)))
    }

    fn left(self) -> Vec<String> {
        self.into_keys().collect()
    }
}

/// A file, of which one tensor is in memory at a time.
struct Streamed<'a, B> {
    reader: &'a WeightsReader<B>,
    left: BTreeSet<String>,
    hold: Hold,
}

impl<B: WeightBytes> Parameters for Streamed<'_, B> {
    fn take(&mut self, name: &str, is_linear: bool) -> Result<Option<TensorData>, WeightsError> {
        if !self.left.remove(name) {
            return Ok(None);
        }
        if self.hold == Hold::Quantized && is_linear {
            let shape = self.reader.shape(name).unwrap_or_default();
            if let Some(quantized) = self.reader.quantized(name)?
                && has_whole_rows(&quantized, shape)
            {
                return Ok(Some(held(quantized, shape)));
            }
        }
        let tensor = self.reader.tensor(name)?;
        Ok(Some(TensorData::new(tensor.values, tensor.shape)))
    }

    fn left(self) -> Vec<String> {
        self.left.into_iter().collect()
    }
}

/// Burn's blocks end with a row.
fn has_whole_rows(quantized: &Quantized, shape: &[usize]) -> bool {
    let row = shape.last().copied().unwrap_or_default();
    row.is_multiple_of(quantized.bits.block())
}

/// As Burn holds it: values as the file has them, then the scales of all blocks.
fn held(quantized: Quantized, shape: &[usize]) -> TensorData {
    let value = match quantized.bits {
        Bits::Eight => QuantValue::Q8S,
        Bits::Four => QuantValue::Q4S,
    };
    let scheme = QuantScheme::default()
        .with_value(value)
        .with_store(QuantStore::PackedU32(0))
        .per_block([quantized.bits.block() as u8], ScaleDtype::F32);
    let mut bytes = quantized.values;
    bytes.extend(
        quantized
            .scales
            .iter()
            .flat_map(|scale| scale.to_ne_bytes()),
    );
    TensorData::from_bytes_vec(bytes, shape.to_vec(), DType::QFloat(scheme))
}

struct Loader<P> {
    path: ParameterPath,
    /// Types of the modules around a parameter.
    containers: Vec<String>,
    parameters: P,
    missing: Vec<String>,
    wrong: Option<WeightsError>,
}

impl<P> Loader<P> {
    /// Whether the parameter is what a linear map multiplies by.
    fn is_linear(&self) -> bool {
        let container = self.containers.last().map(String::as_str);
        // Bytes of weights that are not multiplied as a matrix as a whole must be numbers.
        matches!(container, Some("Struct:AdaptedLinear" | "Struct:Linear"))
    }
}

impl<P: Parameters> ModuleMapper for Loader<P> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
        self.containers.push(container_type.to_owned());
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.exit(container_type);
        self.containers.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let expected = param.lazy_shape().to_vec();
        let is_linear = D == 2 && self.is_linear();
        match self.parameters.take(&name, is_linear) {
            Ok(None) => {
                self.missing.push(name);
                param
            }
            Ok(Some(data)) if data.shape().as_slice() != expected => {
                self.wrong.get_or_insert(WeightsError::Shape {
                    name,
                    found: data.shape().to_vec(),
                    expected,
                });
                param
            }
            Ok(Some(data)) => {
                let (id, device) = (param.id, param.lazy_device());
                // Without drawing the random numbers that it would begin with.
                param.transform_for_load(Tensor::from_data(data, &device), id)
            }
            Err(error) => {
                self.wrong.get_or_insert(error);
                param
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
    load(module, tensors)
}

/// As [`load_into`], from a file, of which one tensor is in memory at a time.
///
/// # Errors
/// As [`load_into`], and those of [`WeightsReader::tensor`].
pub fn load_from<M: Module>(
    module: M,
    reader: &WeightsReader<impl WeightBytes>,
    hold: Hold,
) -> Result<M, WeightsError> {
    let names = reader.shapes().map(|(name, _)| name.to_owned());
    let left = names.collect();
    load(module, Streamed { reader, left, hold })
}

fn load<M: Module>(module: M, parameters: impl Parameters) -> Result<M, WeightsError> {
    let mut loader = Loader {
        path: ParameterPath::default(),
        containers: Vec::new(),
        parameters,
        missing: Vec::new(),
        wrong: None,
    };
    let module = module.map(&mut loader);
    if let Some(error) = loader.wrong {
        return Err(error);
    }
    if !loader.missing.is_empty() {
        return Err(WeightsError::Missing(loader.missing));
    }
    let left = loader.parameters.left();
    if !left.is_empty() {
        return Err(WeightsError::Unused(left));
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
