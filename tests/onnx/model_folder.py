"""A model folder of ours: its manifest, its weights in floating point, the built-in input and what is known of its answer."""
import json
import math
import struct
from pathlib import Path

import numpy as np

# Values that share a scale: crates/core/src/weights/quantization.rs.
BLOCKS = {"I8": 64, "U8": 32}


class ModelFolder:
    def __init__(self, path):
        path = Path(path)
        self.manifest = json.loads((path / "manifest.json").read_text())
        self.architecture = self.manifest["architecture"]
        self.weights = weights(path / self.manifest["weights"]["file"])

    @property
    def image_channels(self):
        per_image = 2 * self.architecture["num_neighbours"] + 1
        return self.architecture["vit"]["in_channels"] // per_image

    def check_input(self, shape):
        """As crates/core/src/infer/check.rs: `[1, channel, slice, row, column]`."""
        z, y, x = np.meshgrid(*(np.arange(edge, dtype=np.float64) for edge in shape), indexing="ij")
        channels = [np.sin(0.7 * z + 0.31 * y + 0.53 * x + 1.1 * channel) + 0.5 * np.cos(0.17 * (x * y)) for channel in range(self.image_channels)]
        return np.stack(channels)[None].astype(np.float32)

    def known_logits(self):
        """What the manifest says of the small built-in input: its shape and its logits."""
        check = self.manifest["check"]
        return check["shape"], np.array(check["logits"], np.float32)

    def known_summary(self):
        """Likewise of a whole window, in few numbers (`summary`); none in older manifests."""
        found = self.manifest["check"].get("window")
        return None if found is None else np.array(found, np.float32)


def weights(path):
    """Tensors by name: F32 as they are, eight bits (I8) and four (two in a U8) multiplied with the scale of each block."""
    file = path.read_bytes()
    (length,) = struct.unpack("<Q", file[:8])
    header = json.loads(file[8 : 8 + length])
    shapes = json.loads(header.pop("__metadata__", {}).get("shapes", "{}"))
    types = {"F32": "<f4", "F16": "<f2", "I8": "i1", "U8": "u1"}

    def raw(name):
        entry = header[name]
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        if entry["dtype"] not in types:
            raise ValueError(f"{name}: found {entry['dtype']}, expected one of {', '.join(types)}")
        return np.frombuffer(file[begin:end], types[entry["dtype"]])

    tensors = {}
    for name, entry in header.items():
        if name.endswith(".scales"):
            continue
        shape = shapes.get(name, entry["shape"])
        values = raw(name)
        if entry["dtype"] == "U8":
            # The first of two values in the lower half, each with a sign of its own.
            halves = np.stack([values << 4, values & 0xF0], axis=1).reshape(-1)
            values = (halves.view("i1") >> 4)[: math.prod(shape)]
        values = values.astype(np.float32)
        if f"{name}.scales" in header:
            scales = raw(f"{name}.scales").astype(np.float32)
            block = BLOCKS[entry["dtype"]]
            values = values * np.repeat(scales, block)[: values.size]
        tensors[name] = values.reshape(shape)
    return tensors


def summary(logits, cells=(2, 4, 4)):
    """As crates/core/src/infer/check.rs: of each class and cell of a coarse grid the mean of the logits and one of them."""
    shape = logits.shape[1:]
    numbers = []
    for of_class in logits:
        for index, cell in enumerate(np.ndindex(cells)):
            ranges = [range(c * size // n, -(-(c + 1) * size // n)) for c, size, n in zip(cell, shape, cells)]
            part = of_class[tuple(slice(r.start, r.stop) for r in ranges)]
            numbers.append(part.mean(dtype=np.float64))
            numbers.append(of_class[tuple(r.start + index * 5 % len(r) for r in ranges)])
    return np.array(numbers, np.float32)


def relative_error(found, expected):
    """Largest difference, relative to the largest expected value."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return np.inf
    return float(np.abs(found.astype(np.float64) - expected).max() / np.abs(expected).max())
