//! Names of the DINOv3 checkpoints of Hugging Face transformers.

use super::rules::{Rules, Theirs};

/// The token of masked pretraining.
pub const IGNORED: [&str; 1] = ["embeddings.mask_token"];

/// Where the transformer's parameters are; `blocks` is what block names begin with, up to the
/// number.
pub fn rules(prefix: &str, blocks: &str) -> Rules {
    let mut rules = Rules::default();
    let theirs = |name: &str| format!("{prefix}{name}");
    let block = |name: &str| format!("{blocks}*.{name}");
    rules.same("vit.cls_token", &theirs("embeddings.cls_token"));
    rules.same("vit.storage_tokens", &theirs("embeddings.register_tokens"));
    rules.conv(
        "vit.patch_embed.proj",
        &theirs("embeddings.patch_embeddings"),
    );
    rules.norm("vit.blocks.*.norm1", &block("norm1"));
    rules.norm("vit.blocks.*.norm2", &block("norm2"));
    let projection = |part: &str| block(&format!("attention.{part}_proj"));
    rules.rule(
        "vit.blocks.*.attn.qkv.weight",
        Theirs::Matrices(
            ["q", "k", "v"]
                .map(|part| format!("{}.weight", projection(part)))
                .to_vec(),
        ),
    );
    rules.rule(
        "vit.blocks.*.attn.qkv.bias",
        Theirs::Vectors(vec![
            Some(format!("{}.bias", projection("q"))),
            None,
            Some(format!("{}.bias", projection("v"))),
        ]),
    );
    rules.linear("vit.blocks.*.attn.proj", &projection("o"));
    rules.same("vit.blocks.*.ls1.gamma", &block("layer_scale1.lambda1"));
    rules.same("vit.blocks.*.ls2.gamma", &block("layer_scale2.lambda1"));
    for (ours, part) in [
        ("fc1", "up_proj"),
        ("fc2", "down_proj"),
        ("w1", "gate_proj"),
        ("w2", "up_proj"),
        ("w3", "down_proj"),
    ] {
        rules.linear(
            &format!("vit.blocks.*.mlp.{ours}"),
            &block(&format!("mlp.{part}")),
        );
    }
    rules.norm("vit.norm", &theirs("norm"));
    rules
}
