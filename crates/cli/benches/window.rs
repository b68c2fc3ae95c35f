//! `cargo bench -p dinomed3d-cli --bench window`: our side of `cargo xtask bench --against`, as tests/onnx/side.py says: one
//! window, or one product of matrices, for each line that comes.

#[path = "../src/allocator.rs"]
mod allocator;
#[path = "../src/device.rs"]
#[allow(unused_imports, reason = "its tests run with the program's")]
mod device;
#[path = "shared/profile.rs"]
mod profile;
#[path = "../src/threads.rs"]
#[allow(unused_imports, reason = "its tests run with the program's")]
mod threads;

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use clap::Parser;
use dinomed3d_core::infer::Computer;
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::presets::DinoV3;
use dinomed3d_core::model::vit::VisionTransformer;
use dinomed3d_core::model_folder::ModelFolder;
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_core::weights::{decode, load_into};
use std::io::BufRead;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// Of a matrix whose product shows what a processor can do at best.
const EDGE: usize = 1024;

#[derive(Parser)]
struct Args {
    /// Folder of the model, or what tests/onnx/transformer.py wrote.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The name of a transformer, if that is what was written.
    #[arg(long)]
    transformer: Option<String>,
    /// A window's values, `[channel, slice, row, column]`; a transformer's lie beside its weights.
    #[arg(long, value_name = "FILE", required_unless_present = "transformer")]
    window: Option<PathBuf>,
    /// Where its logits are written.
    #[arg(long, value_name = "FILE")]
    logits: PathBuf,
    /// Where the time of each part is written; how many threads compute says RAYON_NUM_THREADS.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// cpu, or what else it was built with.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    allocator::keep_memory();
    threads::share_out(None).unwrap();
    let args = Args::parse();
    let device = device::device(&args.device).unwrap();
    let network = Network::load(&args, &device);
    let logits = network.window();
    let bytes: Vec<u8> = logits.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(&args.logits, bytes).unwrap();
    let square = || Tensor::<2>::random([EDGE, EDGE], Distribution::Default, &device);
    let factors = [square(), square()];
    product(&factors);
    if let Some(path) = &args.profile {
        let parts = profile::of(5, || drop(network.window()));
        std::fs::write(path, serde_json::to_vec(&parts).unwrap()).unwrap();
    }
    println!("{}", serde_json::json!({ "about": "ours" }));
    for line in std::io::stdin().lock().lines() {
        let begun = Instant::now();
        let value = match line.unwrap().trim() {
            "window" => {
                network.window();
                begun.elapsed().as_secs_f64() * 1e3
            }
            "product" => {
                product(&factors);
                2e-9 * (EDGE as f64).powi(3) / begun.elapsed().as_secs_f64()
            }
            other => panic!("found {other:?}, expected window or product"),
        };
        println!("{}", serde_json::json!({ "value": value }));
    }
}

/// What is measured, and what it is given.
enum Network {
    Model(Box<Segmenter>, Vec<f32>),
    Transformer(Box<VisionTransformer>, Box<Tensor<4>>),
}

impl Network {
    fn load(args: &Args, device: &Device) -> Self {
        let Some(name) = &args.transformer else {
            let segmenter = ModelFolder::open(&args.model).load(device).unwrap();
            let window = args.window.as_ref().unwrap();
            let values = floats(&std::fs::read(window).unwrap());
            return Self::Model(Box::new(segmenter), values);
        };
        let path = args.model.join("transformer.safetensors");
        let mut tensors = decode(&std::fs::read(path).unwrap()).unwrap();
        let images = tensors.remove("input").unwrap();
        let shape: [usize; 4] = images.shape.try_into().unwrap();
        let images = Tensor::from_data(TensorData::new(images.values, shape), device);
        let own = |name: &str| name.trim_start_matches("vit.").to_owned();
        let weights = tensors.into_iter().map(|(name, of)| (own(&name), of));
        let fresh = DinoV3::from_name(name).unwrap().config();
        let fresh = fresh.init(&Adaptation::None, device);
        let transformer = load_into(fresh, weights.collect()).unwrap();
        Self::Transformer(Box::new(transformer), Box::new(images))
    }

    /// A window's logits, or the images' patch tokens.
    fn window(&self) -> Vec<f32> {
        match self {
            Self::Model(segmenter, values) => {
                let going_on = async |_| ControlFlow::Continue(());
                let computer = segmenter.computer();
                pollster::block_on(computer.logits(values.clone(), going_on)).unwrap()
            }
            Self::Transformer(vit, images) => {
                let mut tokens = vit.embed((**images).clone(), images.dims()[0]);
                for index in 0..vit.blocks.len() {
                    tokens = vit.block(index, tokens);
                }
                let patches = vit.normed_tokens(&tokens).patches.into_data();
                patches.try_into_vec().unwrap()
            }
        }
    }
}

fn product([a, b]: &[Tensor<2>; 2]) {
    a.clone().matmul(b.clone()).into_data();
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (values, rest) = bytes.as_chunks::<4>();
    assert!(
        rest.is_empty(),
        "found {} bytes, expected floats",
        bytes.len()
    );
    values.iter().map(|x| f32::from_le_bytes(*x)).collect()
}
