//! Names of the official DINOv3 checkpoints (`.pth`).

use super::rules::Rules;

/// Kept beside the weights and not needed: the token of masked pretraining, and two buffers that
/// are computed.
pub const IGNORED: [&str; 3] = ["mask_token", "rope_embed.periods", "attn.qkv.bias_mask"];

/// Where the transformer's parameters are, every name after `prefix`; with `adapted`, as peft
/// writes them beside LoRA.
pub fn transformer(rules: &mut Rules, prefix: &str, adapted: bool) {
    let theirs = |name: &str| format!("{prefix}{name}");
    let target = |name: &str| {
        let base = if adapted { ".base_layer" } else { "" };
        format!("{prefix}{name}{base}")
    };
    rules.same("vit.cls_token", &theirs("cls_token"));
    rules.same("vit.storage_tokens", &theirs("storage_tokens"));
    rules.conv("vit.patch_embed.proj", &target("patch_embed.proj"));
    for part in ["norm1", "norm2"] {
        rules.norm(
            &format!("vit.blocks.*.{part}"),
            &theirs(&format!("blocks.*.{part}")),
        );
    }
    let linear_maps = [
        "attn.qkv",
        "attn.proj",
        "mlp.fc1",
        "mlp.fc2",
        "mlp.w1",
        "mlp.w2",
        "mlp.w3",
    ];
    for part in linear_maps {
        let name = format!("blocks.*.{part}");
        rules.linear(&format!("vit.{name}"), &target(&name));
    }
    for part in ["ls1", "ls2"] {
        let name = format!("blocks.*.{part}.gamma");
        rules.same(&format!("vit.{name}"), &theirs(&name));
    }
    rules.norm("vit.norm", &theirs("norm"));
}

/// The whole table.
pub fn rules(prefix: &str) -> Rules {
    let mut rules = Rules::default();
    transformer(&mut rules, prefix, false);
    rules
}
