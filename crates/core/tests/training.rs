//! A training run on made-up cases: it learns, and it survives being stopped.

use burn::tensor::Device;
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::lora::LoraConfig;
use dinomed3d_core::model::{DinoMed3dConfig, SliceSegmenter};
use dinomed3d_core::preprocess::Preprocessing;
use dinomed3d_core::train::dataset::Examples;
use dinomed3d_core::train::recipe::Architecture;
use dinomed3d_core::train::run_folder::RunState;
use dinomed3d_core::train::validate::dice_of_case;
use dinomed3d_core::train::{Dataset, Event, Parallelism, Recipe, Start, Trainer};
use dinomed3d_core::weights::import::initialize::transformer_shapes;
use dinomed3d_core::weights::{NamedTensor, NamedTensors, decode, load_into, named_tensors};
use dinomed3d_volume::nifti::{Values, encode};
use dinomed3d_volume::{Affine, Scan, gzip};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const EDGE: usize = 16;

/// A device's random numbers are one stream for all threads: two runs at once would draw from
/// each other's, and neither could be repeated.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A NIfTI-1 file of cubes of 1 mm voxels, RAS, one for each channel.
fn cubes(voxels: &[i16]) -> Vec<u8> {
    let channels = voxels.len() / EDGE.pow(3);
    let shape = [EDGE, EDGE, EDGE, channels];
    let shape = if channels == 1 { &shape[..3] } else { &shape };
    encode(
        shape,
        &Affine::from_spacing_mm([1.0; 3]),
        Values::Int16(voxels),
        "",
    )
}

/// Bright boxes on dark ground; the box is label 1.
fn write_data(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut cases = Vec::new();
    for case in 0..5usize {
        let mut voxels = Vec::new();
        let mut labels = Vec::new();
        for z in 0..EDGE {
            for y in 0..EDGE {
                for x in 0..EDGE {
                    let inside = (4..10 + case % 3).contains(&x)
                        && (4..11).contains(&y)
                        && (3 + case % 2..11).contains(&z);
                    let noise = (x * 7 + y * 13 + z * 5 + case * 3) % 11;
                    let value = if inside { 300 } else { 100 } + noise as i16;
                    voxels.push(value);
                    labels.push(u8::from(inside));
                }
            }
        }
        let image = cubes(&voxels);
        let label = Scan::open(&image, None)
            .unwrap()
            .encode_label_map(&labels, "test")
            .unwrap();
        std::fs::write(folder.join(format!("image_{case}.nii.gz")), gzip(&image)).unwrap();
        std::fs::write(folder.join(format!("label_{case}.nii.gz")), gzip(&label)).unwrap();
        cases.push(format!(
            r#"{{"image": "image_{case}.nii.gz", "label": "label_{case}.nii.gz"}}"#
        ));
    }
    let json = format!(
        r#"{{"labels": {{"0": "background", "1": "box"}}, "training": [{}]}}"#,
        cases.join(",")
    );
    std::fs::write(folder.join("dataset.json"), json).unwrap();
}

fn recipe() -> Recipe {
    let stage = |epochs: usize| {
        serde_json::json!({
            "epochs": epochs, "windows-per-case": 1, "batch-size": 2, "learning-rate": 2e-3,
            "weight-decay": 1e-2, "warmup-steps": 2, "max-gradient-norm": 1.0
        })
    };
    serde_json::from_value(serde_json::json!({
        "name": "box", "title": "Box", "description": "Finds boxes.", "modality": "boxes",
        "data": {"source": "made", "licence": "none", "weights-licence": "none", "attribution": "none"},
        "colors": [[255, 0, 0]],
        "preprocessing": {
            "orientation": "RAS",
            "intensity": {"kind": "percentile-z-score", "lowPercent": 0.5, "highPercent": 99.5}
        },
        "window": [16, 16, 16], "overlap": 0.5, "seed": 3, "validation-every": 5,
        "ema-decay": 0.5, "stage1": stage(1), "stage2": stage(3), "freeze-backbone": false,
        "augmentation": {
            "flip-slices": 0.5, "affine": 0.2, "rotation-deg": 5.0, "scale": [0.9, 1.1],
            "shift-voxels": 1.0, "intensity": 0.5, "contrast": 0.1, "brightness": 0.1, "noise": 0.1
        },
        "architecture": {
            "num_classes": 2, "num_neighbours": 1,
            "vit": {
                "in_channels": 3, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2,
                "mlp_dim": 32, "num_registers": 1, "layer_scale": 0.1, "feed_forward": "mlp"
            },
            "end_slices": "repeat", "normed_taps": true,
            "adaptation": {"in-block": {"reduction": 4, "kernel": [3, 3, 3]}},
            "detail": {"base_channels": 8, "blocks": [0, 1, 1]},
            "decoder": {"light": {
                "tap_channels": 8, "patch_channels": 8, "quarter_channels": 8, "half_channels": 8
            }}
        }
    }))
    .unwrap()
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("dinomed3d-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn load(folder: &Path, preprocessing: &Preprocessing) -> Arc<Dataset> {
    Arc::new(Dataset::load(folder, preprocessing, 5).unwrap())
}

#[test]
fn a_stopped_run_goes_on_where_it_was() {
    let _guard = ONE_AT_A_TIME.lock();
    let data = scratch("resume-data");
    write_data(&data);
    let recipe = recipe();
    let dataset = load(&data, &recipe.preprocessing);
    assert_eq!((dataset.training.len(), dataset.validation.len()), (4, 1));
    let device = [Device::flex()];

    let whole = scratch("resume-whole");
    let mut losses = Vec::new();
    Trainer::new(&recipe, &dataset, &device, &whole, false)
        .unwrap()
        .run(|event| {
            if let Event::Step { stage: 2, loss, .. } = event {
                losses.push(loss);
            }
        })
        .unwrap();
    assert_eq!(losses.len(), 6);
    assert!(losses[5] < losses[0], "the loss falls: {losses:?}");

    // The same run, stopped as hard as a panic: before stage 2 has a checkpoint, and in the middle of its second epoch.
    let weights =
        |folder: &Path| decode(&std::fs::read(folder.join("last.safetensors")).unwrap()).unwrap();
    for stopped_at in [1, 3] {
        let parts = scratch("resume-parts");
        let trainer = Trainer::new(&recipe, &dataset, &device, &parts, false).unwrap();
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            trainer.run(|event| {
                if let Event::Step { stage: 2, step, .. } = event
                    && step == stopped_at
                {
                    panic!("power cut");
                }
            })
        }));
        assert!(stopped.is_err());
        assert!(Trainer::new(&recipe, &dataset, &device, &parts, false).is_err());
        let state = Trainer::new(&recipe, &dataset, &device, &parts, true)
            .unwrap()
            .run(|_| {})
            .unwrap();
        assert_eq!(state.log.len(), 4, "one row per epoch, none twice");
        for row in &state.log {
            let numbers = [row.loss.into(), row.learning_rate, row.mean_dice().unwrap()];
            assert!(numbers.iter().all(|n: &f64| n.is_finite()), "{row:?}");
        }
        let (a, b) = (weights(&whole), weights(&parts));
        for (name, tensor) in &a {
            for (x, y) in tensor.values.iter().zip(&b[name].values) {
                let difference = (x - y).abs();
                assert!(difference < 1e-4, "{stopped_at}, {name}: {x} against {y}");
            }
        }
        std::fs::remove_dir_all(parts).unwrap();
    }
    for folder in [data, whole] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// A checkpoint is written within epochs too, here after every step, and what goes on from one is what would have been.
#[test]
fn a_run_that_is_killed_within_an_epoch_goes_on_there() {
    let _guard = ONE_AT_A_TIME.lock();
    let data = scratch("midway-data");
    write_data(&data);
    let mut recipe = recipe();
    recipe.stage1.epochs = 0;
    recipe.stage2.epochs = 2;
    // Four cases, three windows of each, two in a batch, two batches a step: three steps an epoch.
    recipe.stage2.windows_per_case = 3;
    recipe.stage2.accumulation = 2;
    let dataset = load(&data, &recipe.preprocessing);
    let device = [Device::flex()];
    let trainer = |folder: &Path, resume| {
        Trainer::new(&recipe, &dataset, &device, folder, resume)
            .unwrap()
            .with_checkpoint_every(Duration::ZERO)
    };
    let whole = scratch("midway-whole");
    let mut losses = Vec::new();
    let expected = trainer(&whole, false)
        .run(|event| {
            if let Event::Step { epoch, loss, .. } = event {
                losses.push((epoch, loss));
            }
        })
        .unwrap();
    assert_eq!(losses.len(), 12);
    assert_eq!(
        losses[6].0, 2,
        "the second epoch begins with the seventh batch"
    );

    // Stopped as hard as a panic after the fifth step, which is the second of the second epoch.
    let parts = scratch("midway-parts");
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        trainer(&parts, false).run(|event| {
            if let Event::Step { step: 11, .. } = event {
                panic!("power cut");
            }
        })
    }));
    assert!(stopped.is_err());
    let mut again = Vec::new();
    let state = trainer(&parts, true)
        .run(|event| {
            if let Event::Step { step, loss, .. } = event {
                again.push((step, loss));
            }
        })
        .unwrap();
    // The last checkpoint may not have been whole yet.
    let first = again[0].0;
    assert!(first == 9 || first == 11, "begins again with batch {first}");
    for (step, loss) in again {
        let expected = losses[step - 1].1;
        assert!(
            (loss - expected).abs() < 1e-4,
            "batch {step}: {loss}, expected {expected}"
        );
    }
    assert_eq!(state.log.len(), 2);
    for (row, expected) in state.log.iter().zip(&expected.log) {
        assert_eq!((row.epoch, row.steps), (expected.epoch, expected.steps));
        assert!(
            (row.loss - expected.loss).abs() < 1e-4,
            "{row:?}, expected {expected:?}"
        );
    }
    let weights =
        |folder: &Path| decode(&std::fs::read(folder.join("last.safetensors")).unwrap()).unwrap();
    let (a, b) = (weights(&whole), weights(&parts));
    for (name, tensor) in &a {
        for (x, y) in tensor.values.iter().zip(&b[name].values) {
            assert!((x - y).abs() < 1e-4, "{name}: {x} against {y}");
        }
    }
    let left = std::fs::read_dir(parts.join("checkpoint")).unwrap().count();
    assert_eq!(left, 0, "no checkpoint of a stage that is done");
    for folder in [data, whole, parts] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// The learner panics at one.
#[test]
fn a_checkpoint_that_is_cut_short_is_named_and_what_can_be_done() {
    let _guard = ONE_AT_A_TIME.lock();
    let (data, folder) = (scratch("cut-data"), scratch("cut"));
    write_data(&data);
    let short = recipe();
    let dataset = load(&data, &short.preprocessing);
    let device = [Device::flex()];
    // So long that it is not done before it is stopped.
    let mut long = short.clone();
    long.stage2.epochs = 99;
    let run = |recipe: &Recipe, resume, told: &mut dyn FnMut(Event)| {
        Trainer::new(recipe, &dataset, &device, &folder, resume)?.run(told)
    };
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run(&long, false, &mut |event| {
            if let Event::Step {
                stage: 2, step: 9, ..
            } = event
            {
                panic!("power cut");
            }
        })
    }));
    assert!(stopped.is_err());
    let files = std::fs::read_dir(folder.join("checkpoint")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().unwrap() == "bpk")
        .collect();
    files.sort();
    // A later one may not have been whole when the run was stopped.
    let place = |path: &PathBuf| path.to_str().unwrap().rfind('-').unwrap();
    let mut parts = files.chunk_by(|a, b| {
        let [a, b] = [a, b].map(|path| &path.to_str().unwrap()[..place(path)]);
        a == b
    });
    let parts = parts.rfind(|parts| parts.len() == 3).unwrap();
    let stage1 = folder.join("stage1.safetensors");
    let of_run = [folder.join("state.json")];
    for path in parts.iter().chain(&of_run) {
        let whole = std::fs::read(path).unwrap();
        // That of the learning rates ends in bytes that nobody reads.
        let is_padded = path.to_str().unwrap().ends_with("scheduler.bpk");
        let end = if is_padded { 20 } else { whole.len() };
        for length in [0, 7, end / 2, end - 1] {
            std::fs::write(path, &whole[..length]).unwrap();
            let what = format!("{length} bytes of {}", path.display());
            let error = run(&long, true, &mut |_| {}).expect_err(&what).to_string();
            let named = format!("checkpoint {}: cut short or damaged", path.display());
            assert!(error.starts_with(&named), "{what}: {error}");
            let is_told = path == &of_run[0] || error.contains("remove it, and the run goes on");
            assert!(is_told, "{error}");
        }
        std::fs::write(path, whole).unwrap();
    }
    // As it was told.
    files
        .iter()
        .for_each(|path| std::fs::remove_file(path).unwrap());
    let whole = std::fs::read(&stage1).unwrap();
    std::fs::write(&stage1, &whole[..whole.len() / 2]).unwrap();
    let error = run(&short, true, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("stage1.safetensors: cut short"), "{error}");
    std::fs::write(&stage1, &whole).unwrap();
    let state = run(&short, true, &mut |_| {}).unwrap();
    assert_eq!(state.log.len(), 4, "one row per epoch, none twice");
    for folder in [data, folder] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Stage 1 climbs at first and, with a learning rate that throws the weights about, falls again.
#[test]
fn stage_2_begins_with_the_best_epoch_of_stage_1() {
    let _guard = ONE_AT_A_TIME.lock();
    let (data, folder) = (scratch("best1-data"), scratch("best1"));
    write_data(&data);
    let mut recipe = recipe();
    recipe.stage1.epochs = 8;
    recipe.stage1.learning_rate = 0.5;
    recipe.stage2.epochs = 0;
    let dataset = load(&data, &recipe.preprocessing);
    let path = folder.join("stage1.safetensors");
    // At such a rate the score jumps; of few runs one at least is not best at its end.
    let (state, best) = (1..=10)
        .find_map(|seed| {
            recipe.seed = seed;
            let _ = std::fs::remove_dir_all(&folder);
            let state = Trainer::new(&recipe, &dataset, &[Device::flex()], &folder, false)
                .unwrap()
                .run(|_| {})
                .unwrap();
            let best = state.best(1).unwrap().clone();
            (best.epoch < 8).then_some((state, best))
        })
        .expect("a run whose last epoch is not its best");
    assert_eq!(state.stage1_steps, Some(best.steps));
    // What the file holds scores as the best epoch did.
    let network = recipe.architecture(2, 1).unwrap();
    let network = SliceSegmenter::init(&network, &Device::flex());
    let tensors = decode(&std::fs::read(&path).unwrap()).unwrap();
    let network = load_into(network, tensors).unwrap();
    let case = &dataset.validation[0];
    let dice = dice_of_case(
        &network,
        case,
        &dataset.labels,
        recipe.windowing(),
        &Device::flex(),
    )
    .unwrap();
    let last = state.rows(1).next_back().unwrap();
    assert_eq!(dice, best.dice);
    assert_ne!(dice, last.dice);
    for folder in [data, folder] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_run_without_validation_is_whole_and_can_be_read() {
    let _guard = ONE_AT_A_TIME.lock();
    let (data, folder) = (scratch("unseen-data"), scratch("unseen"));
    write_data(&data);
    let recipe = recipe();
    let mut dataset = Dataset::load(&data, &recipe.preprocessing, 5).unwrap();
    dataset.validation.clear();
    let dataset = Arc::new(dataset);
    let device = [Device::flex()];
    let train = |resume| {
        Trainer::new(&recipe, &dataset, &device, &folder, resume)
            .unwrap()
            .run(|_| {})
            .unwrap()
    };
    let state = train(false);
    assert_eq!(state.best_dice(), None);
    let json = std::fs::read_to_string(folder.join("state.json")).unwrap();
    assert!(!json.contains("null") && !json.contains("NaN"), "{json}");
    // Numbers go through text, which may cost the last digit.
    let steps = |state: &RunState| state.log.iter().map(|row| row.steps).collect::<Vec<_>>();
    assert_eq!(steps(&train(true)), steps(&state));
    let file = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert_eq!(file("best.safetensors"), file("last.safetensors"));
    for folder in [data, folder] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Last weights of stage 2, trained on two cases for two epochs.
fn weights_of_two_cases(
    name: &str,
    devices: usize,
    accumulation: usize,
    parallelism: Parallelism,
) -> NamedTensors {
    let _guard = ONE_AT_A_TIME.lock();
    let (data, folder) = (scratch(&format!("{name}-data")), scratch(name));
    write_data(&data);
    let mut recipe = recipe();
    recipe.stage1.epochs = 0;
    recipe.stage2.epochs = 2;
    recipe.stage2.batch_size = 1;
    recipe.stage2.accumulation = accumulation;
    let mut dataset = Dataset::load(&data, &recipe.preprocessing, 5).unwrap();
    dataset.training = Examples::Scans(dataset.training.scans()[..2].to_vec());
    let devices = vec![Device::flex(); devices];
    let state = Trainer::new(&recipe, &Arc::new(dataset), &devices, &folder, false)
        .unwrap()
        .with_parallelism(parallelism)
        .run(|_| {})
        .unwrap();
    assert_eq!(state.log.last().unwrap().steps, 2, "both cases make a step");
    let weights = decode(&std::fs::read(folder.join("last.safetensors")).unwrap()).unwrap();
    for folder in [data, folder] {
        std::fs::remove_dir_all(folder).unwrap();
    }
    weights
}

/// Two devices with a window each make the step that one device makes of both.
#[test]
fn several_devices_make_the_step_of_one() {
    let one = weights_of_two_cases("one-device", 1, 2, Parallelism::Gather);
    let two = weights_of_two_cases("two-devices", 2, 1, Parallelism::Gather);
    for (name, tensor) in &one {
        for (a, b) in tensor.values.iter().zip(&two[name].values) {
            assert!((a - b).abs() < 1e-4, "{name}: {a} against {b}");
        }
    }
}

/// A stage ends when nothing gets better.
#[test]
fn a_stage_that_gets_no_better_stops() {
    let _guard = ONE_AT_A_TIME.lock();
    let (data, folder) = (scratch("patience-data"), scratch("patience"));
    write_data(&data);
    let mut recipe = recipe();
    recipe.stage1.epochs = 0;
    recipe.stage2.epochs = 9;
    recipe.stage2.learning_rate = 1e-12;
    recipe.stage2.early_stopping = Some(2);
    let dataset = load(&data, &recipe.preprocessing);
    let state = Trainer::new(&recipe, &dataset, &[Device::flex()], &folder, false)
        .unwrap()
        .run(|_| {})
        .unwrap();
    assert_eq!(state.log.len(), 3, "{:?}", state.log);
    for folder in [data, folder] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Runs a recipe from nothing; returns the weights of stage 1 and the last of stage 2.
fn run(name: &str, recipe: &Recipe, start: Option<Start>) -> [NamedTensors; 2] {
    let _guard = ONE_AT_A_TIME.lock();
    let (data, folder) = (scratch(&format!("{name}-data")), scratch(name));
    write_data(&data);
    let dataset = load(&data, &recipe.preprocessing);
    let mut trainer = Trainer::new(recipe, &dataset, &[Device::flex()], &folder, false).unwrap();
    if let Some(start) = start {
        trainer = trainer.with_start(start);
    }
    trainer.run(|_| {}).unwrap();
    let weights = ["stage1.safetensors", "last.safetensors"].map(|file| {
        // A run may be without stage 1.
        std::fs::read(folder.join(file))
            .map_or_else(|_| NamedTensors::new(), |b| decode(&b).unwrap())
    });
    for folder in [data, folder] {
        std::fs::remove_dir_all(folder).unwrap();
    }
    weights
}

/// With hardly any learning rate what comes out is what went in.
#[test]
fn a_run_begins_with_the_transformer_it_is_given() {
    let mut recipe = recipe();
    recipe.stage1.learning_rate = 1e-12;
    recipe.stage2.learning_rate = 1e-12;
    recipe.stage2.epochs = 1;
    let config = recipe.architecture(2, 1).unwrap().vit;
    let start: NamedTensors = transformer_shapes(&config)
        .into_iter()
        .map(|(name, shape)| {
            let count = shape.iter().product::<usize>();
            let values = (0..count).map(|i| (i as f32).sin() * 0.1).collect();
            (name, NamedTensor { shape, values })
        })
        .collect();
    for weights in run("start", &recipe, Some(Start::Transformer(start.clone()))) {
        for (name, tensor) in &start {
            for (a, b) in weights[name].values.iter().zip(&tensor.values) {
                assert!((a - b).abs() < 1e-6, "{name}: {a} against {b}");
            }
        }
    }
}

/// A whole network goes on in stage 2, without another stage 1.
#[test]
fn a_run_begins_with_a_network() {
    let mut recipe = recipe();
    let network = recipe.architecture(2, 1).unwrap().init(&Device::flex());
    let start = named_tensors(&network);
    recipe.stage2.learning_rate = 1e-12;
    recipe.stage2.epochs = 1;
    let [_, last] = run("network", &recipe, Some(Start::Network(start.clone())));
    for (name, tensor) in &start {
        for (a, b) in last[name].values.iter().zip(&tensor.values) {
            assert!((a - b).abs() < 1e-6, "{name}: {a} against {b}");
        }
    }
}

/// What a run began with is in its checkpoints: it goes on without being told again.
#[test]
fn a_run_from_a_network_goes_on_without_it() {
    let _guard = ONE_AT_A_TIME.lock();
    let (data, folder) = (scratch("network-resume-data"), scratch("network-resume"));
    write_data(&data);
    let mut recipe = recipe();
    recipe.stage2.epochs = 2;
    recipe.stage2.learning_rate = 1e-12;
    let dataset = load(&data, &recipe.preprocessing);
    let start = named_tensors(&recipe.architecture(2, 1).unwrap().init(&Device::flex()));
    let device = [Device::flex()];
    let trainer = Trainer::new(&recipe, &dataset, &device, &folder, false)
        .unwrap()
        .with_start(Start::Network(start.clone()));
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        trainer.run(|event| {
            if let Event::Step { step: 3, .. } = event {
                panic!("power cut");
            }
        })
    }));
    assert!(stopped.is_err());
    let state = Trainer::new(&recipe, &dataset, &device, &folder, true)
        .unwrap()
        .run(|_| {})
        .unwrap();
    assert_eq!(state.log.len(), 2, "no stage 1: {:?}", state.log);
    let last = decode(&std::fs::read(folder.join("last.safetensors")).unwrap()).unwrap();
    for (name, tensor) in &start {
        for (a, b) in last[name].values.iter().zip(&tensor.values) {
            assert!((a - b).abs() < 1e-6, "{name}: {a} against {b}");
        }
    }
    for folder in [data, folder] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// A network whose LoRA was merged goes on with fresh LoRA, which changes nothing.
#[test]
fn a_merged_network_goes_on_with_fresh_lora() {
    let mut recipe = recipe();
    let mut config = recipe.architecture(2, 1).unwrap();
    config.adaptation = Adaptation::None;
    let start = named_tensors(&config.init(&Device::flex()));
    config.adaptation = Adaptation::Lora(LoraConfig::new().with_rank(2));
    recipe.architecture = Some(Architecture::Config(Box::new(config)));
    recipe.stage2.learning_rate = 1e-12;
    recipe.stage2.epochs = 1;
    let [_, last] = run("merged", &recipe, Some(Start::Network(start.clone())));
    assert_eq!(last.len(), start.len() + 2 * (2 * 4 + 1));
    for (name, tensor) in &start {
        for (a, b) in last[name].values.iter().zip(&tensor.values) {
            assert!((a - b).abs() < 1e-6, "{name}: {a} against {b}");
        }
    }
}

/// Settings that can't work are named before anything is done.
#[test]
fn a_recipe_that_can_not_work_is_refused() {
    type Spoil = fn(&mut Recipe);
    let cases: [(&str, Spoil); 6] = [
        ("gamma.chance", |r| r.augmentation.gamma.chance = 1.5),
        ("balanced", |r| r.augmentation.balanced = -0.1),
        ("scale", |r| r.augmentation.scale = [1.2, 0.8]),
        ("stage2.batch-size", |r| r.stage2.batch_size = 0),
        ("window", |r| r.window = [0, 8, 8]),
        ("overlap", |r| r.overlap = f32::NAN),
    ];
    assert!(recipe().check().is_ok());
    for (name, spoil) in cases {
        let mut recipe = recipe();
        spoil(&mut recipe);
        let error = recipe.check().unwrap_err().to_string();
        assert!(error.contains(name), "{name}: {error}");
    }
    type SpoilNetwork = fn(&mut DinoMed3dConfig);
    let networks: [(&str, SpoilNetwork); 7] = [
        ("in_channels", |c| c.num_neighbours = 2),
        ("num_heads", |c| c.vit.num_heads = 3),
        ("depth", |c| c.vit.depth = 0),
        ("detail", |c| c.detail.blocks = [1, 1, 1]),
        ("detail.full_channels is 0", |c| {
            c.detail.full_channels = Some(0);
        }),
        ("detail.full_channels is 8", |c| {
            (c.detail.full_channels, c.detail.blocks) = (Some(8), [0; 3]);
        }),
        ("detail.full_channels is 8", |c| {
            (c.detail.full_channels, c.detail.blocks) = (Some(8), [1, 1, 1]);
        }),
    ];
    for (name, spoil) in networks {
        let mut recipe = recipe();
        let mut config = recipe.architecture(2, 1).unwrap();
        spoil(&mut config);
        recipe.architecture = Some(Architecture::Config(Box::new(config)));
        let error = recipe.architecture(2, 1).unwrap_err().to_string();
        assert!(error.contains(name), "{name}: {error}");
    }
    let mut recipe = recipe();
    let mut config = recipe.architecture(2, 1).unwrap();
    config.detail.full_channels = Some(8);
    recipe.architecture = Some(Architecture::Config(Box::new(config)));
    assert!(recipe.architecture(2, 1).is_ok());
}

/// A frozen transformer is as stage 1 left it, and what adapts it has learnt.
#[test]
fn lora_learns_beside_a_frozen_transformer() {
    let mut recipe = recipe();
    recipe.freeze_backbone = true;
    let mut config = recipe.architecture(2, 1).unwrap();
    config.adaptation = Adaptation::Lora(LoraConfig::new().with_rank(2));
    recipe.architecture = Some(Architecture::Config(Box::new(config)));
    let [stage1, stage2] = run("lora", &recipe, None);
    for (name, tensor) in stage1.iter().filter(|(name, _)| name.starts_with("vit.")) {
        // The moving average adds a rounding.
        for (a, b) in tensor.values.iter().zip(&stage2[name].values) {
            assert!((a - b).abs() <= 1e-6, "{name}: {a} became {b}");
        }
    }
    let updates: Vec<_> = stage2
        .iter()
        .filter(|(name, _)| name.ends_with(".lora.up"))
        .collect();
    assert_eq!(updates.len(), 2 * 4 + 1);
    for (name, tensor) in updates {
        assert!(
            tensor.values.iter().any(|v| *v != 0.0),
            "{name} is still zero"
        );
    }
}

/// A recipe names a preset, or says what is wrong with its settings.
#[test]
fn a_recipe_names_its_network() {
    let with = |architecture: serde_json::Value| -> Result<Recipe, String> {
        let mut json = serde_json::to_value(recipe()).unwrap();
        json["architecture"] = architecture;
        serde_json::from_value(json).map_err(|error| error.to_string())
    };
    let paper = with("paper-s".into()).unwrap();
    assert_eq!(paper.architecture(4, 1).unwrap().vit.embed_dim, 384);
    let error = with("paper-xs".into())
        .unwrap()
        .architecture(4, 1)
        .unwrap_err();
    assert!(error.to_string().contains("paper-s"), "{error}");
    let error = with(serde_json::json!({"num_classes": 2})).unwrap_err();
    assert!(error.contains("missing field"), "{error}");
    let error = with(3.into()).unwrap_err();
    assert!(error.contains("name of a preset"), "{error}");
    assert!(
        recipe().architecture(7, 1).is_err(),
        "a data set of other labels"
    );
}

/// A recipe that names its network takes the data set's channels; one that writes it out has to have them.
#[test]
fn the_network_takes_the_channels_of_the_data_set() {
    let mut recipe = recipe();
    let error = recipe.architecture(2, 4).unwrap_err().to_string();
    assert!(
        error.contains("in_channels is 3, expected is 12, for 1 neighbours and the 4 channels"),
        "{error}"
    );
    for preset in [None, Some(Architecture::Preset("paper-s".into()))] {
        recipe.architecture = preset;
        let network = recipe.architecture(2, 4).unwrap();
        assert_eq!((network.vit.in_channels, network.image_channels()), (12, 4));
    }
}

/// Neither channel tells the box by itself: it is where the second is brighter than the first.
#[test]
fn a_run_of_two_channels_learns() {
    let _guard = ONE_AT_A_TIME.lock();
    let (data, folder) = (scratch("channels-data"), scratch("channels"));
    write_data(&data);
    for case in 0..5 {
        let path = data.join(format!("image_{case}.nii.gz"));
        let image = Scan::open(&std::fs::read(&path).unwrap(), None).unwrap();
        let voxels: Vec<i16> = image.values().map(|value| value as i16).collect();
        let ground = |place: usize| 40 * (place % 5) as i16;
        let mut channels: Vec<i16> = (0..voxels.len()).map(ground).collect();
        channels.extend(
            voxels
                .iter()
                .enumerate()
                .map(|(place, v)| v + ground(place)),
        );
        std::fs::write(path, gzip(&cubes(&channels))).unwrap();
    }
    let index = data.join("dataset.json");
    let json = std::fs::read_to_string(&index).unwrap();
    let json = json.replacen('{', r#"{"modality": {"0": "T1", "1": "T2"}, "#, 1);
    std::fs::write(index, json).unwrap();

    let mut recipe = recipe();
    let config = recipe.architecture(2, 1).unwrap().with_image_channels(2);
    recipe.architecture = Some(Architecture::Config(Box::new(config)));
    let dataset = load(&data, &recipe.preprocessing);
    assert_eq!(dataset.channels, ["T1", "T2"]);
    let state = Trainer::new(&recipe, &dataset, &[Device::flex()], &folder, false)
        .unwrap()
        .run(|_| {})
        .unwrap();
    let losses: Vec<f32> = state.log.iter().map(|row| row.loss).collect();
    assert!(losses[3] < losses[1], "stage 2 learns: {losses:?}");
    let weights = decode(&std::fs::read(folder.join("last.safetensors")).unwrap()).unwrap();
    assert_eq!(weights["vit.patch_embed.proj.weight"].shape, [16, 6, 8, 8]);
    assert_eq!(weights["detail.stem.weight"].shape, [8, 8, 3, 3, 3]);
    for folder in [data, folder] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn every_problem_of_a_data_set_is_named_at_once() {
    let data = scratch("problems");
    write_data(&data);
    std::fs::remove_file(data.join("label_1.nii.gz")).unwrap();
    std::fs::write(data.join("image_3.nii.gz"), b"not a scan").unwrap();
    let error = Dataset::load(&data, &recipe().preprocessing, 5)
        .unwrap_err()
        .to_string();
    assert!(error.contains("label_1.nii.gz"), "{error}");
    assert!(error.contains("image_3.nii.gz"), "{error}");
    std::fs::remove_dir_all(data).unwrap();
}
