//! Where the time goes: parts of our network beside the nodes of onnxruntime, which are named by the parameters they use.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Files of the times.
pub const OURS: &str = "ours.json";
/// As [`OURS`].
pub const ONNXRUNTIME: &str = "onnxruntime.json";

#[derive(Default)]
struct Row {
    gflop: f64,
    ours_ms: f64,
    theirs_ms: f64,
}

/// Two tables, by part of the network and by kind of operation.
///
/// # Errors
/// When a file of times is not there or another than expected.
pub fn beside(folder: &Path, facts: &Value) -> Result<String> {
    let read = |name: &str| -> Result<Vec<Value>> {
        let path = folder.join(name);
        let file = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(serde_json::from_slice(&file)?)
    };
    let (mut parts, mut kinds) = (Rows::new(), Rows::new());
    for span in read(OURS)? {
        let path = span["path"].as_array().context("a span has a path")?;
        let path: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
        let ms = span["ms"].as_f64().context("a span has a time")?;
        parts.entry(our_part(&path)).or_default().ours_ms += ms;
        kinds.entry(our_kind(&path)).or_default().ours_ms += ms;
    }
    for node in read(ONNXRUNTIME)? {
        let name = node["name"].as_str().context("a node has a name")?;
        let kind = node["kind"].as_str().context("a node has a kind")?;
        let ms = node["ms"].as_f64().context("a node has a time")?;
        parts.entry(their_part(name)).or_default().theirs_ms += ms;
        kinds.entry(their_kind(name, kind)).or_default().theirs_ms += ms;
    }
    for (name, flop) in facts["flop"]
        .as_object()
        .context("facts hold the operations")?
    {
        let gflop = flop.as_f64().context("operations are a number")? / 1e9;
        let kind = name
            .rsplit('/')
            .next()
            .and_then(|last| last.split('_').next());
        parts.entry(their_part(name)).or_default().gflop += gflop;
        let kind = their_kind(name, kind.unwrap_or_default());
        kinds.entry(kind).or_default().gflop += gflop;
    }
    Ok(format!(
        "{}\n{}",
        table("part", &parts),
        table("operation", &kinds)
    ))
}

type Rows = BTreeMap<&'static str, Row>;

fn table(first: &str, rows: &Rows) -> String {
    let mut text = format!(
        "| {first} | GFLOP | ours, ms | GFLOP/s | onnxruntime, ms | GFLOP/s | ours − other, ms |\n|---|---|---|---|---|---|---|\n"
    );
    let mut total = Row::default();
    let mut line = |name: &str, row: &Row| {
        let speed = |ms: f64| match row.gflop > 0.0 && ms > 0.0 {
            true => format!("{:.0}", row.gflop / ms * 1e3),
            false => String::new(),
        };
        let (ours, theirs) = (row.ours_ms, row.theirs_ms);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {name} | {:.3} | {ours:.1} | {} | {theirs:.1} | {} | {:+.1} |",
            row.gflop,
            speed(ours),
            speed(theirs),
            ours - theirs
        );
    };
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted
        .sort_by(|(_, a), (_, b)| (b.ours_ms - b.theirs_ms).total_cmp(&(a.ours_ms - a.theirs_ms)));
    for (name, row) in sorted {
        line(name, row);
        total.gflop += row.gflop;
        total.ours_ms += row.ours_ms;
        total.theirs_ms += row.theirs_ms;
    }
    line("all", &total);
    text
}

/// The part of the network that a span of `core::model` belongs to.
fn our_part(path: &[&str]) -> &'static str {
    match path {
        ["embed", ..] => "patches",
        ["adapter", ..] => "adapters",
        ["attention", ..] => "attention",
        ["feed_forward", ..] => "feed-forward",
        ["detail", "full", ..] => "detail, full size",
        ["detail", ..] => "detail",
        ["decoder", "mix", ..] => "decoder, patch size",
        ["decoder", "fusion" | "refine_quarter", ..] => "decoder, quarter size",
        ["decoder", "refine_half", ..] => "decoder, half size",
        ["decoder", "full", ..] => "decoder, full size",
        ["decoder", ..] => "decoder, between sizes",
        _ => "taps",
    }
}

/// As [`our_part`], of a node of the exported graph.
fn their_part(name: &str) -> &'static str {
    let part = name.split('/').next().unwrap_or_default();
    let begins = |beginnings: &[&str]| {
        beginnings
            .iter()
            .any(|beginning| part.starts_with(beginning))
    };
    let has = |piece: &str| part.contains(piece);
    if begins(&["slices", "vit.patch_embed"]) {
        "patches"
    } else if has(".adapter") {
        "adapters"
    } else if has(".attn") || has(".norm1") || has(".ls1") {
        "attention"
    } else if begins(&["vit.blocks"]) {
        "feed-forward"
    } else if begins(&["detail.full"]) {
        "detail, full size"
    } else if begins(&["detail"]) {
        "detail"
    } else if begins(&["decoder.mix"]) {
        "decoder, patch size"
    } else if begins(&[
        "decoder.fusion",
        "decoder.detail_quarter",
        "decoder.refine_quarter",
    ]) {
        "decoder, quarter size"
    } else if begins(&["decoder.refine_half"]) {
        "decoder, half size"
    } else if begins(&["decoder.full"]) {
        "decoder, full size"
    } else if begins(&["decoder"]) {
        "decoder, between sizes"
    } else {
        "taps"
    }
}

fn our_kind(path: &[&str]) -> &'static str {
    match path.last() {
        Some(&"conv3") => "convolution 3×3×3",
        Some(&"depthwise") => "depthwise convolution",
        Some(&("linear" | "pointwise" | "embed")) => "linear and 1×1×1",
        Some(&"attend") => "scores, softmax and values",
        Some(&("norm" | "layer_norm")) => "norms",
        Some(&"gelu") => "GELU",
        _ => "moved, joined, added",
    }
}

fn their_kind(name: &str, kind: &str) -> &'static str {
    let part = name.split('/').next().unwrap_or_default();
    let ends = |endings: &[&str]| endings.iter().any(|ending| part.ends_with(ending));
    if kind.contains("Conv") {
        return if ends(&["depthwise"]) {
            "depthwise convolution"
        } else if ends(&[".conv1", ".conv2", ".stem"])
            || (ends(&[".conv"]) && !ends(&["shortcut.conv"]))
        {
            "convolution 3×3×3"
        } else {
            "linear and 1×1×1"
        };
    }
    match kind {
        "Softmax" => "scores, softmax and values",
        "MatMul" | "FusedMatMul" | "Gemm" if ends(&[".attn"]) => "scores, softmax and values",
        "MatMul" | "FusedMatMul" | "Gemm" => "linear and 1×1×1",
        "InstanceNormalization" | "LayerNormalization" | "SkipLayerNormalization" => "norms",
        "Gelu" | "BiasGelu" => "GELU",
        _ => "moved, joined, added",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of both sides for what is the same in the network.
    #[test]
    fn both_sides_name_the_same_parts() {
        for (path, node, kind) in [
            (
                &["attention", "linear"][..],
                "vit.blocks.3.attn.qkv/MatMul_9",
                "MatMul",
            ),
            (
                &["attention", "attend"],
                "vit.blocks.3.attn/Softmax_2",
                "Softmax",
            ),
            (
                &["adapter", "depthwise"],
                "vit.blocks.0.adapter.depthwise/Conv_4",
                "Conv",
            ),
            (
                &["feed_forward", "gelu"],
                "vit.blocks.0.mlp.fc1/Gelu_4",
                "Gelu",
            ),
            (
                &["layer_norm"],
                "vit.norm/LayerNormalization_4",
                "LayerNormalization",
            ),
            (
                &["detail", "full", "conv3"],
                "detail.full.conv/Conv_1",
                "Conv",
            ),
            (
                &["detail", "pointwise"],
                "detail.levels.1.0.shortcut.conv/Conv_1",
                "Conv",
            ),
            (
                &["decoder", "mix", "norm"],
                "decoder.mix.norm/InstanceNormalization_1",
                "InstanceNormalization",
            ),
            (
                &["decoder", "full", "conv3"],
                "decoder.full.conv2/FusedConv_1",
                "FusedConv",
            ),
            (&["decoder", "pointwise"], "decoder.head/Conv_1", "Conv"),
        ] {
            assert_eq!(our_part(path), their_part(node), "{node}");
            assert_eq!(our_kind(path), their_kind(node, kind), "{node}");
        }
    }
}
