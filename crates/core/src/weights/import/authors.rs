//! Names of the checkpoints that the authors' code saves.

use super::official;
use super::rules::{Rules, Theirs};

/// Kept in a checkpoint of stage 2 and without use: UPerNet's own classifier, which refinement
/// replaces.
pub const IGNORED: [&str; 2] = ["decoder.cls.weight", "decoder.cls.bias"];

/// Stage 1: the transformer and the proxy head.
pub fn stage1(prefix: &str) -> Rules {
    let mut rules = Rules::default();
    official::transformer(&mut rules, &format!("{prefix}backbone.model."), false);
    rules.linear("head.classifier", &format!("{prefix}head"));
    rules
}

/// Stage 2: the transformer (`adapted`: with LoRA, as peft writes it), the detail stream and the
/// decoder.
pub fn stage2(prefix: &str, adapted: bool) -> Rules {
    let mut rules = Rules::default();
    transformer(&mut rules, prefix, adapted);
    detail(&mut rules, &format!("{prefix}cnn_encoder."));
    lifting(&mut rules, &format!("{prefix}adapter_3d."));
    rules.conv("decoder.fusion.gate", &format!("{prefix}fusion_mid.gate.0"));
    upernet(&mut rules, &format!("{prefix}decoder."));
    refinement(&mut rules, &format!("{prefix}decoder_final."));
    rules
}

fn transformer(rules: &mut Rules, prefix: &str, adapted: bool) {
    let peft = if adapted { "base_model.model." } else { "" };
    let backbone = format!("{prefix}encoder.backbone.model.{peft}");
    official::transformer(rules, &backbone, adapted);
    if !adapted {
        return;
    }
    for (ours, theirs) in [
        ("patch_embed.lora", "patch_embed.proj"),
        ("blocks.*.attn.qkv.lora", "blocks.*.attn.qkv"),
        ("blocks.*.attn.proj.lora", "blocks.*.attn.proj"),
        ("blocks.*.mlp.fc1.lora", "blocks.*.mlp.fc1"),
        ("blocks.*.mlp.fc2.lora", "blocks.*.mlp.fc2"),
    ] {
        for (ours_part, theirs_part) in [("down", "lora_A"), ("up", "lora_B")] {
            rules.rule(
                &format!("vit.{ours}.{ours_part}"),
                Theirs::Matrix(format!("{backbone}{theirs}.{theirs_part}.default.weight")),
            );
        }
    }
}

fn detail(rules: &mut Rules, theirs: &str) {
    rules.same("detail.stem.weight", &format!("{theirs}stem.0.weight"));
    for (ours, block) in [
        ("0.0", "layer1"),
        ("1.0", "layer2_down"),
        ("1.1", "layer2_refine"),
        ("2.0", "layer3_down"),
        ("2.1", "layer3_refine"),
    ] {
        for conv in ["conv1", "conv2"] {
            rules.same(
                &format!("detail.levels.{ours}.{conv}.weight"),
                &format!("{theirs}{block}.{conv}.weight"),
            );
        }
        rules.same(
            &format!("detail.levels.{ours}.shortcut.conv.weight"),
            &format!("{theirs}{block}.downsample.0.weight"),
        );
    }
    rules.conv("detail.project", &format!("{theirs}proj_c3"));
}

fn lifting(rules: &mut Rules, theirs: &str) {
    for (tap, name) in ["up4", "up2", "id1", "down2"].iter().enumerate() {
        let ours = format!("decoder.lifting.lifts.{tap}");
        rules.same(
            &format!("{ours}.reduce.weight"),
            &format!("{theirs}{name}.0.weight"),
        );
        rules.slope(&format!("{ours}.activation"), &format!("{theirs}{name}.2"));
        rules.conv(&format!("{ours}.resample"), &format!("{theirs}{name}.3"));
    }
}

fn upernet(rules: &mut Rules, theirs: &str) {
    // Convolution, norm and slope, the numbers in a sequence as they come.
    let mut unit = |ours: &str, theirs: &str, first: usize| {
        rules.conv(&format!("{ours}.conv"), &format!("{theirs}.{first}"));
        rules.norm(
            &format!("{ours}.after.norm"),
            &format!("{theirs}.{}", first + 1),
        );
        rules.slope(
            &format!("{ours}.after.activation"),
            &format!("{theirs}.{}", first + 2),
        );
    };
    for branch in 0..4 {
        unit(
            &format!("decoder.pyramid.branches.{branch}"),
            &format!("{theirs}ppm.{branch}"),
            1,
        );
    }
    unit("decoder.pyramid.join", &format!("{theirs}ppm_last"), 0);
    for level in 0..3 {
        unit(
            &format!("decoder.laterals.{level}"),
            &format!("{theirs}fpn_in.{level}"),
            0,
        );
        unit(
            &format!("decoder.outputs.{level}"),
            &format!("{theirs}fpn_out.{level}"),
            0,
        );
    }
    unit("decoder.join", &format!("{theirs}fusion"), 0);
}

fn refinement(rules: &mut Rules, theirs: &str) {
    for (ours, name) in [("refine_half", "r12"), ("refine_full", "r11")] {
        for (conv, number) in [("conv1", 0), ("conv2", 3)] {
            rules.same(
                &format!("decoder.{ours}.{conv}.weight"),
                &format!("{theirs}{name}.conv.{number}.weight"),
            );
        }
    }
    rules.conv("decoder.head", &format!("{theirs}cls_seg"));
}
