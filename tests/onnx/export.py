"""A model folder's network as ONNX files, held against the manifest's known answers by onnxruntime.

    python tests/onnx/export.py public/models/hippocampus FOLDER

writes `model.onnx` for the model's windows, `shifted.onnx` (the same without convolutions of groups, which onnxruntime-web's WebGPU
lacks), `product.onnx` (of two square matrices), `window.f32` (a built-in window, `[channel, slice, row, column]`) and `facts.json`
(names, shapes, operations); it refuses to when an answer is not the known one.
"""
import argparse
import json
import sys
from pathlib import Path

import onnx
import onnxruntime

from graph import Graph, square_product
from model_folder import ModelFolder, relative_error, summary
from side import EDGE

# Relative to the largest value.
TOLERANCE = 1e-4


def answer(graph, window):
    session = onnxruntime.InferenceSession(graph.model().SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"window": window})[0][0]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=Path)
    arguments.add_argument("folder", type=Path)
    given = arguments.parse_args()
    model = ModelFolder(given.model)
    window_shape = model.manifest["window"]
    window = model.check_input(window_shape)
    check_shape, known = model.known_logits()
    errors, files = {}, {}

    def graph_for(shape, depthwise):
        made = Graph(model.weights, model.architecture, [1, model.image_channels, *shape], depthwise)
        expected = [1, model.architecture["num_classes"], *shape]
        if made.output_shape != expected:
            sys.exit(f"logits of shape {made.output_shape}, expected {expected}")
        return made

    for name, depthwise in [("model", "conv"), ("shifted", "shifted")]:
        found = answer(graph_for(check_shape, depthwise), model.check_input(check_shape))
        errors[f"{name}, small input"] = relative_error(found.ravel(), known)
        graph = graph_for(window_shape, depthwise)
        if model.known_summary() is not None:
            errors[f"{name}, window"] = relative_error(summary(answer(graph, window)), model.known_summary())
        files[f"{name}.onnx"] = graph.model()
        if name == "model":
            flop = graph.flop
    for what, error in errors.items():
        print(f"{model.manifest['name']}: {what}: {error:.1e} from the known answer, {TOLERANCE:.0e} allowed")
    if not all(error <= TOLERANCE for error in errors.values()):
        sys.exit("the exported network does not give the known answer")
    given.folder.mkdir(parents=True, exist_ok=True)
    files["product.onnx"] = square_product(EDGE)
    for name, file in files.items():
        onnx.save(file, given.folder / name)
    window.tofile(given.folder / "window.f32")
    facts = {
        "name": model.manifest["name"],
        "input": {"name": "window", "shape": list(window.shape)},
        "output": {"name": "logits", "shape": [1, model.architecture["num_classes"], *window_shape]},
        "gflop": sum(flop.values()) / 1e9,
        "flop": flop,
        "error": max(errors.values()),
    }
    (given.folder / "facts.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
