"""PyTorch on the CPU, as `side.py` says: `pytorch_side.py FOLDER THREADS LOGITS`. It takes the nodes of the exported graph one by
one, as a module's `forward` would."""
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper

from side import EDGE, serve


def convolution(x, weight, bias, attributes):
    pads = attributes["pads"]
    of_dimensions = {4: F.conv2d, 5: F.conv3d}[x.dim()]
    return of_dimensions(x, weight, bias, attributes["strides"], pads[: len(pads) // 2], 1, attributes["group"])


def narrow(x, starts, ends, axes):
    for start, end, axis in zip(starts, ends, axes):
        x = x.narrow(axis, start, end - start)
    return x


# Inputs that are constants of shapes come as lists.
OPERATIONS = {
    "Add": lambda a, x, y: x + y,
    "Concat": lambda a, *parts: torch.cat(parts, a["axis"]),
    "Conv": lambda a, x, weight, bias=None: convolution(x, weight, bias, a),
    "Gelu": lambda a, x: F.gelu(x),
    "InstanceNormalization": lambda a, x, scale, shift: F.instance_norm(x, weight=scale, bias=shift, eps=a["epsilon"]),
    "LayerNormalization": lambda a, x, scale, shift: F.layer_norm(x, scale.shape, scale, shift, a["epsilon"]),
    "MatMul": lambda a, x, y: x @ y,
    "Mul": lambda a, x, y: x * y,
    "Relu": lambda a, x: F.relu(x),
    "Reshape": lambda a, x, shape: x.reshape(shape),
    "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Slice": lambda a, x, *where: narrow(x, *where),
    "Softmax": lambda a, x: F.softmax(x, a["axis"]),
    "Transpose": lambda a, x: x.permute(a["perm"]),
}


class Network:
    def __init__(self, path):
        graph = onnx.load(path).graph
        self.constants = {}
        for tensor in graph.initializer:
            values = numpy_helper.to_array(tensor)
            self.constants[tensor.name] = values.tolist() if values.dtype == np.int64 else torch.tensor(values)
        attributes = lambda node: {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        self.nodes = [(OPERATIONS[node.op_type], attributes(node), list(node.input), node.output[0]) for node in graph.node]
        # What nobody needs any more is let go of.
        last = {name: place for place, (_, _, inputs, _) in enumerate(self.nodes) for name in inputs}
        self.done = [[name for name in set(inputs) if last[name] == place and name not in self.constants] for place, (_, _, inputs, _) in enumerate(self.nodes)]

    def __call__(self, window):
        values = {"window": window}
        for (operation, attributes, inputs, output), done in zip(self.nodes, self.done):
            given = [self.constants[name] if name in self.constants else values[name] for name in inputs]
            values[output] = operation(attributes, *given)
            for name in done:
                del values[name]
        return values["logits"]


def main():
    folder, threads, logits = sys.argv[1:]
    folder = Path(folder)
    torch.set_num_threads(int(threads))
    torch.set_grad_enabled(False)
    facts = json.loads((folder / "facts.json").read_text())
    window = torch.tensor(np.fromfile(folder / "window.f32", np.float32).reshape(facts["input"]["shape"]))
    network = Network(folder / "model.onnx")
    square = torch.randn(EDGE, EDGE)
    serve(f"PyTorch {torch.__version__}", lambda: network(window).numpy(), lambda: square @ square, logits)


if __name__ == "__main__":
    main()
