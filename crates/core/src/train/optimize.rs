//! One step of the optimiser, of all parameters at once.

use super::flat::{Parts, lay, long, part};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use std::collections::HashMap;

/// Moves the parameters that have gradients, which are scaled so that their common norm is at most `max_norm`.
///
/// Burn's own clipping works tensor by tensor, which turns the direction of the step. The norm stays where it was computed:
/// to ask for it would keep a card waiting for the step that follows. At a rate of nothing, nothing is done.
pub fn step<M: Module>(
    network: M,
    mut gradients: GradientsParams,
    optimizer: &mut ModuleOptimizer,
    rates: &ModuleLearningRate,
    max_norm: f32,
) -> M {
    let mut gather = Gather {
        gradients: &mut gradients,
        rates,
        path: Vec::new(),
        groups: Vec::new(),
    };
    network.visit(&mut gather);
    let groups: Vec<LongGroup> = gather.groups.into_iter().map(Group::join).collect();
    let squares = groups
        .iter()
        .map(|group| group.gradient.clone().square().sum());
    let Some(sum) = squares.reduce(|sum, squares| sum + squares) else {
        return network;
    };
    let factor = sum.sqrt().clamp_min(max_norm).recip().mul_scalar(max_norm);
    let mut moved = HashMap::new();
    for (number, group) in groups.into_iter().enumerate() {
        if group.rate == 0.0 {
            continue;
        }
        // By this number the optimiser finds what it keeps of a group.
        let id = ParamId::from(number as u64);
        let long = Long {
            values: Param::initialized(id, Tensor::from_inner(group.values)),
        };
        let mut gradient = GradientsParams::new();
        gradient.register(id, group.gradient * factor.clone());
        let values = optimizer.step(group.rate, long, gradient).values.val();
        moved.extend(part(group.parts, &values.inner()));
    }
    lay(network, moved)
}

/// What the optimiser moves: one parameter in the place of many.
#[derive(Module, Debug)]
struct Long {
    values: Param<Tensor<1>>,
}

/// Parameters that learn at the same rate, in the order of the network.
struct Group {
    rate: f64,
    parts: Parts,
    values: Vec<Tensor<1>>,
    gradients: Vec<Tensor<1>>,
}

/// The same, one after another.
struct LongGroup {
    rate: f64,
    parts: Parts,
    values: Tensor<1>,
    gradient: Tensor<1>,
}

impl Group {
    fn join(self) -> LongGroup {
        LongGroup {
            rate: self.rate,
            parts: self.parts,
            values: Tensor::cat(self.values, 0),
            gradient: Tensor::cat(self.gradients, 0),
        }
    }
}

/// Gathers the parameters that have gradients by their rates.
struct Gather<'a> {
    gradients: &'a mut GradientsParams,
    rates: &'a ModuleLearningRate,
    path: Vec<String>,
    groups: Vec<Group>,
}

impl ModuleVisitor for Gather<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return;
        };
        let rate = self
            .rates
            .lr_from_param(param.id, Some(&self.path.join(".")));
        let place = self.groups.iter().position(|group| group.rate == rate);
        let place = place.unwrap_or_else(|| {
            self.groups.push(Group {
                rate,
                parts: Vec::new(),
                values: Vec::new(),
                gradients: Vec::new(),
            });
            self.groups.len() - 1
        });
        let group = &mut self.groups[place];
        let values = long(param);
        group.parts.push((param.id, values.dims()[0]));
        group.values.push(values);
        group.gradients.push(gradient.flatten(0, D - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::super::ema::follow;
    use super::super::flat::flatten;
    use super::*;
    use burn::module::ParamGroup;
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
    use burn::optim::{AdamWConfig, SgdConfig};
    use burn::tensor::{Device, Distribution};

    #[derive(Module, Debug)]
    struct Three {
        first: Linear,
        still: Linear,
        second: Linear,
    }

    fn three(device: &Device) -> Three {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Three {
            first: linear(3, 4),
            still: linear(4, 4).no_grad(),
            second: linear(4, 2),
        }
    }

    fn input(device: &Device) -> Tensor<2> {
        Tensor::random([5, 3], Distribution::Default, device)
    }

    fn gradients(network: &Three, x: Tensor<2>, factor: f64) -> GradientsParams {
        let y = network
            .second
            .forward(network.still.forward(network.first.forward(x)));
        let gradients = (y.clone() * y).sum().mul_scalar(factor).backward();
        GradientsParams::from_grads(gradients, network)
    }

    fn values(network: &Three) -> Vec<f32> {
        values_of(network)
    }

    fn values_of<M: Module>(module: &M) -> Vec<f32> {
        let (_, all) = flatten(module).expect("it has parameters");
        all.into_data().iter::<f32>().collect()
    }

    fn assert_near(ours: &[f32], burns: &[f32]) {
        assert_eq!(ours.len(), burns.len());
        for (ours, burns) in ours.iter().zip(burns) {
            assert!((ours - burns).abs() < 1e-6, "{ours} {burns}");
        }
    }

    /// Three steps at two rates, beside those that Burn makes parameter by parameter; what is frozen stays.
    #[test]
    fn steps_are_those_of_burn() {
        let device = Device::flex().autodiff();
        let mut rates =
            ModuleLrScheduler::new(0.01).with_group(ParamGroup::from_predicate("first."), 0.002);
        let optimizer = AdamWConfig::new().with_weight_decay(0.1);
        let (mut ours, mut burns) = (optimizer.init(), optimizer.init());
        let begin = three(&device);
        let (mut network, mut other) = (begin.clone(), begin.clone());
        for _ in 0..3 {
            let rates = rates.step();
            let x = input(&device);
            let of_burn = gradients(&network, x.clone(), 1.0);
            other = burns.step(rates.clone(), other, of_burn);
            let gradients = gradients(&network, x, 1.0);
            network = step(network, gradients, &mut ours, &rates, 1e6);
            assert_near(&values(&network), &values(&other));
        }
        assert_near(&values_of(&network.still), &values_of(&begin.still));
        assert!(!network.still.weight.is_require_grad());
        assert!(network.first.weight.is_require_grad());
        let moved = values_of(&network.first);
        assert_ne!(moved, values_of(&begin.first));
    }

    /// A step without momentum is as long as the rate and the largest norm say, in the direction of the whole gradient.
    #[test]
    fn a_gradient_is_clipped_as_a_whole() {
        let device = Device::flex().autodiff();
        let begin = three(&device);
        let x = input(&device);
        let direction = step(
            begin.clone(),
            gradients(&begin, x.clone(), 1e6),
            &mut SgdConfig::new().init(),
            &ModuleLearningRate::from(1e-6),
            1e12,
        );
        let clipped = step(
            begin.clone(),
            gradients(&begin, x, 1e6),
            &mut SgdConfig::new().init(),
            &ModuleLearningRate::from(0.5),
            2.0,
        );
        let way = |to: &Three| -> Vec<f32> {
            let ways = values(to).into_iter().zip(values(&begin));
            ways.map(|(to, from)| to - from).collect()
        };
        let length = |way: &[f32]| way.iter().map(|v| v * v).sum::<f32>().sqrt();
        let (clipped, direction) = (way(&clipped), way(&direction));
        assert!(
            (length(&clipped) - 1.0).abs() < 1e-4,
            "{}",
            length(&clipped)
        );
        let along: f32 = clipped.iter().zip(&direction).map(|(a, b)| a * b).sum();
        assert!(along > 0.9999 * length(&direction));
    }

    #[test]
    fn at_a_rate_of_nothing_nothing_moves() {
        let device = Device::flex().autodiff();
        let begin = three(&device);
        let gradients = gradients(&begin, input(&device), 1.0);
        let rate = ModuleLearningRate::from(0.0);
        let after = step(
            begin.clone(),
            gradients,
            &mut AdamWConfig::new().init(),
            &rate,
            1.0,
        );
        assert_eq!(values(&after), values(&begin));
    }

    /// By hand: three quarters stay. The average is another network, whose parameters have names of their own.
    #[test]
    fn an_average_follows() {
        let device = Device::flex().autodiff();
        let (average, network) = (three(&device), three(&device));
        let expected: Vec<f32> = values(&average)
            .iter()
            .zip(values(&network))
            .map(|(average, network)| 0.75 * average + 0.25 * network)
            .collect();
        let followed = follow(average.clone().no_grad(), &network, 0.75);
        assert_near(&values(&followed), &expected);
        assert!(!followed.first.weight.is_require_grad());
    }
}
