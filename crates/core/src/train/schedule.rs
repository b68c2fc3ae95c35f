//! Learning rates over a stage.

use super::TrainError;
use super::recipe::StageRecipe;
use burn::module::ParamGroup;
use burn::optim::lr_scheduler::LrSchedulerConfig;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};
use burn::optim::lr_scheduler::sequential::SequentialLrSchedulerConfig;

/// Linear warm-up, then half a cosine down to nothing; lower, layer by layer, towards the beginning
/// of a transformer of `depth` blocks.
///
/// With a decay of `d`, block `i` (from 0) learns at `d^(depth − i)` and the patch embedding at
/// `d^(depth + 1)` of the full rate; what follows the transformer at the full rate.
///
/// # Errors
/// [`TrainError::Recipe`] for rates that cannot be.
pub fn learning_rates(
    settings: &StageRecipe,
    depth: usize,
    total_steps: usize,
) -> Result<ModuleLrScheduler, TrainError> {
    let curve = |factor: f64| {
        warmup_cosine(
            settings.learning_rate * factor,
            settings.warmup_steps,
            total_steps,
        )
    };
    let mut rates = ModuleLrSchedulerConfig::new(curve(1.0));
    if settings.layer_decay < 1.0 {
        let factor = |layers: usize| settings.layer_decay.powi(layers as i32);
        // Later groups go before earlier ones.
        rates = rates.with_group(ParamGroup::from_predicate("vit."), curve(factor(depth + 1)));
        rates = rates.with_group(ParamGroup::from_predicate("vit.norm."), curve(1.0));
        for block in 0..depth {
            rates = rates.with_group(
                ParamGroup::from_predicate(format!("vit.blocks.{block}.")),
                curve(factor(depth - block)),
            );
        }
    }
    rates.init().map_err(TrainError::Recipe)
}

fn warmup_cosine(peak: f64, warmup: usize, total: usize) -> LrSchedulerConfig {
    let fall = total.saturating_sub(warmup).max(1);
    let cosine = CosineAnnealingLrSchedulerConfig::new(peak, fall);
    if warmup == 0 {
        return cosine.into();
    }
    let first = peak / warmup as f64;
    let rise = LinearLrSchedulerConfig::new(first, peak, warmup.saturating_sub(1).max(1));
    SequentialLrSchedulerConfig::new(vec![rise.into(), cosine.into()], vec![warmup]).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::ParamId;

    fn settings() -> StageRecipe {
        StageRecipe {
            epochs: 1,
            windows_per_case: 1,
            batch_size: 1,
            accumulation: 1,
            learning_rate: 0.01,
            layer_decay: 1.0,
            weight_decay: 0.0,
            warmup_steps: 10,
            max_gradient_norm: 1.0,
            cross_entropy: 0.2,
            early_stopping: None,
        }
    }

    #[test]
    fn rises_then_falls_to_nothing() {
        let mut rates = learning_rates(&settings(), 2, 100).unwrap();
        let curve: Vec<f64> = (0..=100).map(|_| rates.step().base()).collect();
        let close = |step: usize, value: f64| {
            assert!(
                (curve[step] - value).abs() < 1e-9,
                "step {step}: {}",
                curve[step]
            );
        };
        close(0, 0.001);
        close(9, 0.01);
        close(10, 0.01);
        close(55, 0.005);
        close(100, 0.0);
        assert!(curve[11] < curve[10]);
    }

    #[test]
    fn earlier_layers_learn_more_slowly() {
        let mut settings = settings();
        settings.layer_decay = 0.5;
        settings.warmup_steps = 0;
        let rates = learning_rates(&settings, 2, 100).unwrap().step();
        let of = |path: &str| rates.lr_from_param(ParamId::new(), Some(path)) / 0.01;
        assert_eq!(of("head.weight"), 1.0);
        assert_eq!(of("vit.blocks.1.attention.qkv.weight"), 0.5);
        assert_eq!(of("vit.blocks.0.attention.qkv.weight"), 0.25);
        assert_eq!(of("vit.patch_embedding.weight"), 0.125);
        assert_eq!(of("vit.norm.gamma"), 1.0);
    }
}
