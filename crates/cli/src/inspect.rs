//! `dinomed3d inspect`: what goes on inside the network at a place of a scan, as maps and numbers. The page shows the same.

use crate::progress::Progress;
use crate::say::say;
use crate::scan::{Choice, files_of};
use crate::segmenting::{Input, load_model};
use crate::{places, threads};
use anyhow::{Context, ensure};
use dinomed3d_core::infer::{Keep, SeenWindow};
use dinomed3d_core::inside::{Inside, Map, reach};
use dinomed3d_core::model::Part;
use dinomed3d_core::model_folder::ModelFolder;
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_volume::atomic_file::{check_outputs_in, write_whole};
use dinomed3d_volume::{Affine, Image, LabelMap, NOTICE, gzip};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scan, as `segment` takes it; of a model of several channels a file for each.
    #[arg(required = true, value_name = "SCAN")]
    scans: Vec<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    /// The place that is looked at, in world millimetres (right, anterior, superior) [default: the middle of what is found].
    #[arg(
        long,
        value_name = "X,Y,Z",
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true,
        value_parser = millimetres
    )]
    at: Vec<f64>,
    /// Folder for the maps (NIfTI) and inside.json.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder of the model, or the name of one of `dinomed3d models`.
    #[arg(long, value_name = "MODEL", default_value = places::DEFAULT_MODEL)]
    model: PathBuf,
    /// cpu, or what else the program was built with: cuda, vulkan, wgpu, webgpu, webgpu-half, libtorch, libtorch-cuda.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Cores of the processor [default: as many as a Slurm job was given, or as this process may use].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

/// A number, also as the page writes it: with a minus sign, which is no hyphen.
fn millimetres(text: &str) -> Result<f64, std::num::ParseFloatError> {
    text.trim().replace('\u{2212}', "-").parse()
}

/// The numbers beside the maps.
const NUMBERS: &str = "inside.json";
const DESCRIPTION: &str = "DINO-Med3D, inside the network; not a medical device";

/// Looks, and writes what was seen.
///
/// # Errors
/// A scan or model that can't be used, a place that the network did not look at, a folder that can't be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    threads::share_out(args.threads.map(usize::from))?;
    let at_mm = match args.at[..] {
        [] => None,
        [x, y, z] => Some([x, y, z]),
        _ => anyhow::bail!(
            "--at has {} numbers, expected are three: X,Y,Z",
            args.at.len()
        ),
    };
    let model = places::model(&args.model)?;
    let mut inputs = ModelFolder::open(&model).files();
    for scan in &args.scans {
        inputs.extend(files_of(scan)?);
    }
    check_outputs_in(&args.out, &[NUMBERS], &inputs)?;
    let segmenter = load_model(&model, &args.device)?;
    let input = Input::read(&args.scans, &args.choice, &segmenter, |warning| {
        eprintln!("warning: {warning}");
    })?;
    let window = pollster::block_on(seen(&segmenter, &input, at_mm))?;
    let mut files = pollster::block_on(Looking::at(&segmenter, window).files())?;
    files.numbers["model"] = json!({
        "name": segmenter.manifest().name,
        "version": segmenter.manifest().version,
        "weightsSha256": segmenter.manifest().weights.sha256,
    });
    files.numbers["scan"] = json!(input.name());
    files.numbers["notice"] = json!(NOTICE);
    let names: Vec<&str> = files.maps.keys().map(String::as_str).collect();
    check_outputs_in(&args.out, &names, &inputs)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = args.out.join(name);
        write_whole(&path, bytes).with_context(|| format!("writing {}", path.display()))
    };
    for (name, map) in &files.maps {
        write(name, &gzip(&map.encode(DESCRIPTION)))?;
    }
    let numbers = serde_json::to_string_pretty(&files.numbers)?;
    write(NUMBERS, numbers.as_bytes())?;
    say!(
        "{} maps and {NUMBERS} in {}",
        files.maps.len(),
        args.out.display()
    );
    say!("{NOTICE}");
    Ok(())
}

/// The window of the last look that a place lies in, and the place; without one the middle of what was found.
async fn seen(
    segmenter: &Segmenter,
    input: &Input,
    at_mm: Option<[f64; 3]>,
) -> anyhow::Result<(SeenWindow, [f64; 3])> {
    let channels = input.channels(&segmenter.manifest().channel_names())?;
    let mut line = Progress::new();
    let computer = segmenter.computer();
    let found = segmenter.segment_by(&computer, &channels, Keep::Logits, async |step| {
        line.show(&format!("segmenting: {:3.0} %", 100.0 * step.fraction));
        ControlFlow::Continue(())
    });
    let found = found
        .await
        .with_context(|| format!("segmenting {}", input.name()))?;
    line.end();
    let affine = channels[0].affine();
    let map = LabelMap {
        labels: found.labels,
        shape: found.shape,
        affine,
    };
    let at_mm = match at_mm.or_else(|| middle_of(&map)) {
        Some(at_mm) => at_mm,
        None => anyhow::bail!(
            "nothing was found in {}: say --at which place",
            input.name()
        ),
    };
    let seen = found.seen.context("logits were to be kept")?;
    let windowing = segmenter.manifest().pipeline().windowing;
    let window = seen.window_at(windowing, &affine, at_mm);
    let window = window.context("the scan's affine has no inverse")?;
    ensure!(
        window.voxel_at(at_mm).is_some(),
        "the network did not look at {at_mm:?} mm; its window reaches from {} to {} mm, corner to corner",
        corner(&window.affine, [0; 3]),
        corner(&window.affine, window.shape),
    );
    Ok((window, at_mm))
}

fn corner(affine: &Affine, [slice, row, column]: [usize; 3]) -> String {
    let corner = affine.apply([column, row, slice].map(|edge| edge as f64 - 0.5));
    let [x, y, z] = corner.map(|mm| format!("{mm:.1}"));
    format!("{x}, {y}, {z}")
}

/// Dice of each label of a map of the same window.
fn dice_of(inside: &Inside, map: &Map) -> Value {
    let dice = inside.agreement(map).into_iter();
    let dice: serde_json::Map<String, Value> = dice
        .map(|it| (it.label.to_string(), json!(it.dice)))
        .collect();
    dice.into()
}

/// The middle of all that is labelled.
fn middle_of(map: &LabelMap) -> Option<[f64; 3]> {
    let [_, rows, columns] = map.shape;
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for (place, _) in map
        .labels
        .iter()
        .enumerate()
        .filter(|(_, label)| **label != 0)
    {
        let voxel = [
            place % columns,
            place / columns % rows,
            place / (rows * columns),
        ];
        (0..3).for_each(|axis| sum[axis] += voxel[axis] as f64);
        count += 1.0;
    }
    (count > 0.0).then(|| map.affine.apply(sum.map(|sum| sum / count)))
}

/// Everything that can be asked of the network at a place.
struct Looking<'a> {
    segmenter: &'a Segmenter,
    window: SeenWindow,
    at_mm: [f64; 3],
    line: Progress,
}

struct Files {
    maps: BTreeMap<String, Map>,
    numbers: Value,
}

impl<'a> Looking<'a> {
    fn at(segmenter: &'a Segmenter, (window, at_mm): (SeenWindow, [f64; 3])) -> Self {
        Self {
            segmenter,
            window,
            at_mm,
            line: Progress::new(),
        }
    }

    async fn pass(
        &mut self,
        window: SeenWindow,
        without: Option<Part>,
        said: &str,
    ) -> anyhow::Result<Inside> {
        let line = &mut self.line;
        let pass = self.segmenter.look_inside(window, without, async |done| {
            line.show(&format!("{said}: {:3.0} %", 100.0 * done));
            ControlFlow::Continue(())
        });
        Ok(pass.await?)
    }

    async fn files(mut self) -> anyhow::Result<Files> {
        let mut maps = BTreeMap::new();
        let mut add = |name: String, map: Map| {
            maps.insert(format!("{name}.nii.gz"), map);
        };
        let inside = self
            .pass(self.window.clone(), None, "looking inside")
            .await?;
        let token = inside
            .token_at(self.at_mm)
            .context("a place in the window")?;
        let (slice, blocks) = (token[0], inside.num_blocks());
        add("window".into(), inside.image());
        add("labels".into(), inside.labels());
        for after in 0..=blocks {
            add(
                format!("colours_block-{after}"),
                inside.colours(after).await?,
            );
            let similarity = inside.similarity(after, token).await?;
            add(format!("similarity_block-{after}"), similarity);
        }
        let mut elsewhere = Vec::new();
        for block in 0..blocks {
            let number = block + 1;
            let heads = inside.heads(block, token).await?;
            for (head, looks) in heads.heads.iter().enumerate() {
                let map = inside.map_of_slice(slice, looks);
                add(format!("attention_block-{number}_head-{}", head + 1), map);
            }
            elsewhere.push(heads.elsewhere);
            let rollout = inside.rollout(block, token).await?;
            add(
                format!("rollout_block-{number}"),
                inside.map_of_slice(slice, &rollout),
            );
        }
        for level in 0..inside.detail_levels().len() {
            add(
                format!("detail_level-{}", level + 1),
                inside.detail(level, None).await?,
            );
        }
        if let Some(gate) = inside.gate().await? {
            add("gate".into(), gate);
        }
        let mut agreement = serde_json::Map::new();
        let mut hears = serde_json::Map::new();
        // Of a model without a head for it, nothing.
        let mut stage1 = Value::Null;
        let blanked = self.window.blanked(slice);
        let of_blanked = self
            .pass(blanked.clone(), None, "without the slice")
            .await?;
        hears.insert(
            "whole".into(),
            json!(reach(&inside, &of_blanked, blocks).await?),
        );
        for part in Part::ALL {
            let said = format!("without {}", part.name());
            let less = self.pass(self.window.clone(), Some(part), &said).await?;
            add(format!("without-{}_labels", part.name()), less.labels());
            agreement.insert(part.name().into(), dice_of(&inside, &less.labels()));
            if part == Part::Adapters {
                if let Some(map) = self.segmenter.proxy(&less).await? {
                    stage1 = dice_of(&inside, &map);
                    add("proxy_labels".into(), map);
                }
                for after in 1..=blocks {
                    let difference = inside.difference(&less, after).await?;
                    add(format!("adapters_block-{after}"), difference);
                }
                let said = "without the slice and adapters";
                let of_blanked = self.pass(blanked.clone(), Some(part), said).await?;
                let without = reach(&less, &of_blanked, blocks).await?;
                hears.insert("without-adapters".into(), json!(without));
            }
        }
        self.line.end();
        let numbers = json!({
            "atMm": self.at_mm,
            "token": {"slice": token[0], "row": token[1], "column": token[2]},
            "blocks": blocks,
            "attentionElsewhere": elsewhere,
            "diceWithout": agreement,
            "diceStage1": stage1,
            "changeWhenSliceIsBlanked": hears,
        });
        Ok(Files { maps, numbers })
    }
}

#[cfg(test)]
mod tests {
    use super::millimetres;

    #[test]
    fn a_place_is_read_as_the_page_writes_it() {
        for text in ["-5.7", "\u{2212}5.7", " -5.7"] {
            assert_eq!(millimetres(text), Ok(-5.7), "{text}");
        }
        assert!(millimetres("5,7").is_err());
    }
}
