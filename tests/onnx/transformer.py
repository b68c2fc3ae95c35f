"""A published transformer with made-up weights as ONNX files, and as the safetensors file that ours takes.

    python tests/onnx/transformer.py vits16 IMAGES FOLDER

writes what `export.py` does, but `shifted.onnx`, as it has no convolutions of groups, and `transformer.safetensors` (weights `vit.…`
and the images, `input`). Ours and the other programs are compared with each other, as there is no known answer.
"""
import argparse
import json
import struct
from pathlib import Path

import numpy as np
import onnx

from graph import Transformer, square_product
from side import EDGE

# As crates/core/src/model/presets.rs.
SETTINGS = {
    "vits16": {"in_channels": 3, "patch_size": 16, "embed_dim": 384, "depth": 12, "num_heads": 6, "mlp_dim": 1536, "num_registers": 4},
}
# Of an image, of 7 × 7 patches.
EDGE_PIXELS = 112


def made_up_weights(vit):
    random = np.random.default_rng(1)
    width, hidden = vit["embed_dim"], vit["mlp_dim"]
    weights = {}

    def add(name, shape, scale, around=0.0):
        weights[f"vit.{name}"] = (around + scale * random.standard_normal(shape)).astype(np.float32)

    def add_linear(name, inputs, outputs):
        add(f"{name}.weight", [inputs, outputs], inputs**-0.5)
        add(f"{name}.bias", [outputs], 0.1)

    def add_norm(name):
        add(f"{name}.gamma", [width], 0.1, 1.0)
        add(f"{name}.beta", [width], 0.1)

    patch = [vit["in_channels"], vit["patch_size"], vit["patch_size"]]
    add("patch_embed.proj.weight", [width, *patch], np.prod(patch) ** -0.5)
    add("patch_embed.proj.bias", [width], 0.1)
    add("cls_token", [1, 1, width], 0.1)
    add("storage_tokens", [1, vit["num_registers"], width], 0.1)
    for index in range(vit["depth"]):
        block = f"blocks.{index}"
        add_norm(f"{block}.norm1")
        add_linear(f"{block}.attn.qkv", width, 3 * width)
        add_linear(f"{block}.attn.proj", width, width)
        add(f"{block}.ls1.gamma", [width], 0.1, 0.3)
        add_norm(f"{block}.norm2")
        add_linear(f"{block}.mlp.fc1", width, hidden)
        add_linear(f"{block}.mlp.fc2", hidden, width)
        add(f"{block}.ls2.gamma", [width], 0.1, 0.3)
    add_norm("norm")
    return weights


def write_safetensors(tensors, path):
    header, at = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(values.astype("<f4").tobytes())


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("name", choices=SETTINGS)
    arguments.add_argument("images", type=int)
    arguments.add_argument("folder", type=Path)
    given = arguments.parse_args()
    vit = SETTINGS[given.name]
    shape = [given.images, vit["in_channels"], EDGE_PIXELS, EDGE_PIXELS]
    weights = made_up_weights(vit)
    images = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    graph = Transformer(weights, {"vit": vit}, shape)
    folder = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(graph.model(), folder / "model.onnx")
    onnx.save(square_product(EDGE), folder / "product.onnx")
    write_safetensors({**weights, "input": images}, folder / "transformer.safetensors")
    images.tofile(folder / "window.f32")
    facts = {
        "name": given.name,
        "input": {"name": "window", "shape": shape},
        "output": {"name": "logits", "shape": graph.output_shape},
        "gflop": sum(graph.flop.values()) / 1e9,
        "flop": graph.flop,
        # As `VitConfig` reads it.
        "vit": {**vit, "feed_forward": "mlp", "layer_scale": 1e-5},
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
