//! Names of the DINOv3 checkpoints of timm.

use super::rules::{Rules, Theirs};

/// Where the transformer's parameters are; timm leaves out the biases of queries and values
/// (which are close to zero) unless the variant says otherwise.
pub fn rules(prefix: &str, has_qkv_bias: bool) -> Rules {
    let mut rules = Rules::default();
    let theirs = |name: &str| format!("{prefix}{name}");
    let block = |name: &str| format!("{prefix}blocks.*.{name}");
    rules.same("vit.cls_token", &theirs("cls_token"));
    rules.same("vit.storage_tokens", &theirs("reg_token"));
    rules.conv("vit.patch_embed.proj", &theirs("patch_embed.proj"));
    rules.norm("vit.blocks.*.norm1", &block("norm1"));
    rules.norm("vit.blocks.*.norm2", &block("norm2"));
    rules.rule(
        "vit.blocks.*.attn.qkv.weight",
        Theirs::Matrix(block("attn.qkv.weight")),
    );
    let bias = if has_qkv_bias {
        let bias = |part: &str| Some(block(&format!("attn.{part}_bias")));
        Theirs::Vectors(vec![bias("q"), None, bias("v")])
    } else {
        Theirs::Zeros
    };
    rules.rule("vit.blocks.*.attn.qkv.bias", bias);
    rules.linear("vit.blocks.*.attn.proj", &block("attn.proj"));
    rules.same("vit.blocks.*.ls1.gamma", &block("gamma_1"));
    rules.same("vit.blocks.*.ls2.gamma", &block("gamma_2"));
    for (ours, part) in [
        ("fc1", "fc1"),
        ("fc2", "fc2"),
        ("w1", "fc1_g"),
        ("w2", "fc1_x"),
        ("w3", "fc2"),
    ] {
        rules.linear(
            &format!("vit.blocks.*.mlp.{ours}"),
            &block(&format!("mlp.{part}")),
        );
    }
    rules.norm("vit.norm", &theirs("norm"));
    rules
}
