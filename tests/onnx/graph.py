"""The network of a model folder as an ONNX graph for windows of one size: docs/method.md says what each part is, and
crates/core/src/model how we compute it. Nodes are named by the parameters they use, so that a profile can be read by parts.
"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Gelu came with it; onnxruntime-web has kernels for it.
OPSET = 20
EPSILON = 1e-5
# Groups of the decoder's norms.
GROUPS = 8


def checked(graph):
    # The version of the format that onnxruntime-web reads as well.
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    return made


def square_product(edge):
    """`a` · `b`: what a processor can do at best."""
    a, b, product = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [edge, edge]) for name in ("a", "b", "product"))
    return checked(helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["product"])], "product", [a, b], [product]))


class Graph:
    """Nodes as they are added, with the shapes of what they give."""

    def __init__(self, weights, architecture, shape, depthwise="conv"):
        self.weights = weights
        self.architecture = architecture
        self.depthwise = depthwise
        self.nodes, self.initializers, self.shapes, self.part = [], {}, {}, ""
        self.flop = {}
        self.shapes["window"] = shape
        logits = self.network("window")
        self.nodes[-1].output[0] = "logits"
        self.output_shape = self.shapes[logits]
        self.inputs = [helper.make_tensor_value_info("window", TensorProto.FLOAT, shape)]
        self.outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, self.output_shape)]

    def model(self):
        tensors = [numpy_helper.from_array(values, name) for name, values in self.initializers.items()]
        return checked(helper.make_graph(self.nodes, "dinomed3d", self.inputs, self.outputs, tensors))

    # One node each.

    def constant(self, name, values, dtype=np.float32):
        self.initializers[name] = np.ascontiguousarray(values, dtype)
        self.shapes[name] = list(np.shape(values))
        return name

    def parameter(self, name, shape=None):
        values = self.weights[name]
        return self.constant(name, values if shape is None else values.reshape(shape))

    def node(self, kind, inputs, shape, flop=0, **attributes):
        name = f"{self.part}/{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        self.shapes[name] = list(shape)
        if flop:
            self.flop[name] = flop
        return name

    def elementwise(self, kind, *inputs):
        shape = np.broadcast_shapes(*(tuple(self.shapes[x]) for x in inputs))
        return self.node(kind, inputs, shape)

    def reshape(self, x, shape):
        to = self.constant(f"{self.part}/shape_{len(self.nodes)}", shape, np.int64)
        return self.node("Reshape", [x, to], shape)

    def transpose(self, x, order):
        return self.node("Transpose", [x], [self.shapes[x][axis] for axis in order], perm=order)

    def concat(self, inputs, axis):
        shape = list(self.shapes[inputs[0]])
        shape[axis] = sum(self.shapes[x][axis] for x in inputs)
        return self.node("Concat", inputs, shape, axis=axis)

    def narrow(self, x, axis, start, count):
        place = len(self.nodes)
        numbers = [[start], [start + count], [axis]]
        words = [self.constant(f"{self.part}/slice_{place}_{i}", values, np.int64) for i, values in enumerate(numbers)]
        shape = list(self.shapes[x])
        shape[axis] = count
        return self.node("Slice", [x, *words], shape)

    def matmul(self, a, b):
        shape = [*np.broadcast_shapes(tuple(self.shapes[a][:-2]), tuple(self.shapes[b][:-2])), self.shapes[a][-2], self.shapes[b][-1]]
        return self.node("MatMul", [a, b], shape, 2 * int(np.prod(shape)) * self.shapes[a][-1])

    def linear(self, x, name, bias=None):
        self.part = name
        y = self.matmul(x, self.parameter(f"{name}.weight"))
        return self.elementwise("Add", y, bias or self.parameter(f"{name}.bias"))

    def layer_norm(self, x, name):
        self.part = name
        inputs = [x, self.parameter(f"{name}.gamma"), self.parameter(f"{name}.beta")]
        return self.node("LayerNormalization", inputs, self.shapes[x], epsilon=EPSILON, axis=-1)

    def instance_norm(self, x, part):
        self.part = part
        channels = self.shapes[x][1]
        scale, shift = self.constant(f"ones_{channels}", np.ones(channels)), self.constant(f"zeros_{channels}", np.zeros(channels))
        return self.node("InstanceNormalization", [x, scale, shift], self.shapes[x], epsilon=EPSILON)

    def group_norm(self, x, name):
        shape = self.shapes[x]
        self.part = name
        grouped = self.reshape(x, [1, GROUPS, int(np.prod(shape)) // GROUPS])
        normed = self.reshape(self.instance_norm(grouped, name), shape)
        affine = [self.parameter(f"{name}.{part}", [1, shape[1], 1, 1, 1]) for part in ("gamma", "beta")]
        return self.elementwise("Add", self.elementwise("Mul", normed, affine[0]), affine[1])

    def convolution(self, x, weight, bias=None, stride=1, group=1):
        outputs, inputs, *kernel = self.shapes[weight]
        edges = self.shapes[x][2:]
        strides = [1] * (len(edges) - 2) + [stride, stride]
        pads = [edge // 2 if edge % 2 else 0 for edge in kernel]
        edges = [(edge + 2 * pad - k) // s + 1 for edge, pad, k, s in zip(edges, pads, kernel, strides)]
        shape = [self.shapes[x][0], outputs, *edges]
        flop = 2 * int(np.prod(shape)) * inputs * int(np.prod(kernel))
        given = [x, weight] + ([bias] if bias else [])
        return self.node("Conv", given, shape, flop, kernel_shape=kernel, strides=strides, pads=pads * 2, group=group)

    def conv3(self, x, name, stride=1):
        self.part = name
        return self.convolution(x, self.parameter(f"{name}.weight"), stride=stride)

    def pointwise(self, x, name, stride=1):
        self.part = name
        weight = self.parameter(f"{name}.weight", [*self.weights[f"{name}.weight"].shape, 1, 1, 1])
        bias = f"{name}.bias"
        return self.convolution(x, weight, self.parameter(bias) if bias in self.weights else None, stride)

    def pixel_shuffle(self, x, factor):
        _, channels, depth, height, width = self.shapes[x]
        channels //= factor * factor
        x = self.reshape(x, [channels, factor, factor, depth, height, width])
        x = self.transpose(x, [0, 3, 4, 1, 5, 2])
        return self.reshape(x, [1, channels, depth, height * factor, width * factor])

    def pixel_unshuffle(self, x, factor):
        _, channels, depth, height, width = self.shapes[x]
        x = self.reshape(x, [channels, depth, height // factor, factor, width // factor, factor])
        x = self.transpose(x, [0, 3, 5, 1, 2, 4])
        return self.reshape(x, [1, channels * factor * factor, depth, height // factor, width // factor])

    # The parts of the network, in the order of docs/method.md.

    def network(self, volume):
        architecture = self.architecture
        if "light" not in architecture["decoder"]:
            raise ValueError(f"a decoder {list(architecture['decoder'])}, expected light")
        settings = architecture["vit"]
        depth = settings["depth"]
        taps = [-(-depth * (i + 1) // 4) - 1 for i in range(4)]
        tokens, grid, prefix = self.embed(self.neighbours(volume))
        rope = self.rope(prefix, *grid[1:])
        tapped = []
        for index in range(depth):
            tokens = self.block(f"vit.blocks.{index}", tokens, grid, prefix, rope)
            for _ in range(taps.count(index)):
                self.part = f"vit.tap{index}"
                patches = self.narrow(tokens, 1, prefix, self.shapes[tokens][1] - prefix)
                if architecture["normed_taps"]:
                    patches = self.layer_norm(patches, "vit.norm")
                tapped.append(patches)
        return self.decoder(tapped, grid, self.detail(volume))

    def neighbours(self, volume):
        self.part = "slices"
        _, channels, depth, height, width = self.shapes[volume]
        count = self.architecture["num_neighbours"]
        if self.architecture["end_slices"] != "repeat":
            raise ValueError(f"end slices {self.architecture['end_slices']}, expected repeat")
        first, last = self.narrow(volume, 2, 0, 1), self.narrow(volume, 2, depth - 1, 1)
        padded = self.concat([first] * count + [volume] + [last] * count, 2)
        shifted = [self.reshape(self.narrow(padded, 2, at, depth), [channels, 1, depth, height, width]) for at in range(2 * count + 1)]
        stacked = self.concat(shifted, 1)
        images = self.transpose(stacked, [2, 0, 1, 3, 4])
        return self.reshape(images, [depth, channels * (2 * count + 1), height, width])

    def embed(self, images):
        self.part = name = "vit.patch_embed.proj"
        patch = self.architecture["vit"]["patch_size"]
        patches = self.convolution(images, self.parameter(f"{name}.weight"), self.parameter(f"{name}.bias"), stride=patch)
        count, width, rows, columns = self.shapes[patches]
        patches = self.transpose(self.reshape(patches, [count, width, rows * columns]), [0, 2, 1])
        prefix = [self.weights[name] for name in ("vit.cls_token", "vit.storage_tokens") if name in self.weights]
        prefix = np.repeat(np.concatenate(prefix, 1), count, 0)
        tokens = self.concat([self.constant("vit.prefix", prefix), patches], 1)
        return tokens, [count, rows, columns], prefix.shape[1]

    def rope(self, prefix, rows, columns):
        vit = self.architecture["vit"]
        head_dim = vit["embed_dim"] // vit["num_heads"]
        centre = lambda count: 2 * (np.arange(count) + 0.5) / count - 1
        periods = 100.0 ** (4 * np.arange(head_dim // 4) / head_dim)
        angles = [np.broadcast_to(c[..., None], (rows, columns, 1)) * 2 * np.pi / periods for c in (centre(rows)[:, None], centre(columns)[None, :])]
        angles = np.tile(np.concatenate(angles, -1).reshape(rows * columns, -1), 2)
        still = np.ones((prefix, head_dim))
        cos, sin = np.concatenate([still, np.cos(angles)]), np.concatenate([0 * still, np.sin(angles)])
        # The half that is turned is negated in the table rather than in every query and key.
        sign = np.repeat([-1.0, 1.0], head_dim // 2)
        return self.constant("vit.rope.cos", cos), self.constant("vit.rope.sin", sin * sign)

    def block(self, name, tokens, grid, prefix, rope):
        if f"{name}.adapter.down.weight" in self.weights:
            tokens = self.adapter(f"{name}.adapter", tokens, grid, prefix)
        attended = self.attention(f"{name}.attn", self.layer_norm(tokens, f"{name}.norm1"), rope)
        tokens = self.elementwise("Add", tokens, self.elementwise("Mul", attended, self.parameter(f"{name}.ls1.gamma")))
        fed = self.linear(self.layer_norm(tokens, f"{name}.norm2"), f"{name}.mlp.fc1")
        fed = self.linear(self.elementwise("Gelu", fed), f"{name}.mlp.fc2")
        return self.elementwise("Add", tokens, self.elementwise("Mul", fed, self.parameter(f"{name}.ls2.gamma")))

    def adapter(self, name, tokens, grid, prefix):
        self.part = name
        count, num_tokens, _ = self.shapes[tokens]
        still = self.narrow(tokens, 1, 0, prefix)
        patches = self.narrow(tokens, 1, prefix, num_tokens - prefix)
        inner = self.linear(self.layer_norm(patches, f"{name}.norm"), f"{name}.down")
        width = self.shapes[inner][-1]
        self.part = f"{name}.depthwise"
        kernel = self.architecture["adaptation"]["in-block"]["kernel"]
        if self.depthwise == "conv":
            inner = self.transpose(self.reshape(inner, [1, *grid, width]), [0, 4, 1, 2, 3])
            weight = self.constant(f"{name}.depthwise.weight", self.weights[f"{name}.depthwise.weight"].T.reshape(width, 1, *kernel))
            inner = self.convolution(inner, weight, self.parameter(f"{name}.depthwise.bias"), group=width)
            inner = self.transpose(self.elementwise("Gelu", inner), [0, 2, 3, 4, 1])
        else:
            inner = self.elementwise("Gelu", self.shifted_products(self.reshape(inner, [*grid, width]), f"{name}.depthwise", kernel))
        inner = self.linear(self.reshape(inner, [count, num_tokens - prefix, width]), f"{name}.up")
        return self.concat([still, self.elementwise("Add", patches, inner)], 1)

    def shifted_products(self, grid, name, kernel):
        """The depthwise convolution as we write it ourselves, for who has no convolution of groups in three dimensions."""
        *edges, width = self.shapes[grid]
        margins = [edge // 2 for edge in kernel] + [0]
        pads = self.constant(f"{self.part}/pads", margins * 2, np.int64)
        padded = self.node("Pad", [grid, pads], [e + 2 * m for e, m in zip([*edges, width], margins)], mode="constant")
        total = self.parameter(f"{name}.bias")
        for offset, place in enumerate(np.ndindex(*kernel)):
            starts, ends = list(place), [p + e for p, e in zip(place, edges)]
            at = len(self.nodes)
            words = [self.constant(f"{self.part}/shift_{at}_{i}", v, np.int64) for i, v in enumerate([starts, ends, [0, 1, 2]])]
            shifted = self.node("Slice", [padded, *words], [*edges, width])
            factor = self.constant(f"{name}.weight.{offset}", self.weights[f"{name}.weight"][offset])
            total = self.elementwise("Add", total, self.elementwise("Mul", shifted, factor))
        return total

    def attention(self, name, tokens, rope):
        heads = self.architecture["vit"]["num_heads"]
        count, num_tokens, width = self.shapes[tokens]
        head_dim = width // heads
        bias = self.weights[f"{name}.qkv.bias"].copy()
        bias[width : 2 * width] = 0
        qkv = self.linear(tokens, f"{name}.qkv", self.constant(f"{name}.qkv.bias", bias))
        self.part = name
        qkv = self.transpose(self.reshape(qkv, [count, num_tokens, 3, heads, head_dim]), [2, 0, 3, 1, 4])
        parts = [self.reshape(self.narrow(qkv, 0, i, 1), [count, heads, num_tokens, head_dim]) for i in range(3)]
        query, key = (self.rotate(x, rope) for x in parts[:2])
        scores = self.matmul(query, self.transpose(key, [0, 1, 3, 2]))
        scores = self.elementwise("Mul", scores, self.constant(f"{name}.scale", np.array(head_dim**-0.5)))
        mixed = self.matmul(self.node("Softmax", [scores], self.shapes[scores], axis=-1), parts[2])
        mixed = self.reshape(self.transpose(mixed, [0, 2, 1, 3]), [count, num_tokens, width])
        return self.linear(mixed, f"{name}.proj")

    def rotate(self, x, rope):
        half = self.shapes[x][-1] // 2
        swapped = self.concat([self.narrow(x, 3, half, half), self.narrow(x, 3, 0, half)], 3)
        cos, sin = rope
        return self.elementwise("Add", self.elementwise("Mul", x, cos), self.elementwise("Mul", swapped, sin))

    def conv_norm_relu(self, x, conv, stride=1):
        return self.elementwise("Relu", self.instance_norm(self.conv3(x, conv, stride), f"{conv}.norm"))

    def detail(self, volume):
        """Maps by size: of full, half and quarter edge where there are such."""
        settings = self.architecture["detail"]
        if settings["blocks"] == [0, 0, 0]:
            return {}
        if settings["blocks"][0] != 0 or settings["out_channels"] is not None:
            raise ValueError(f"detail {settings}, expected one that begins at half size and is not projected")
        maps = {}
        if settings["full_channels"]:
            maps["full"] = self.conv_norm_relu(volume, "detail.full.conv")
        self.part = "detail.unshuffle"
        x = self.conv_norm_relu(self.pixel_unshuffle(volume, 2), "detail.stem")
        for level, count in enumerate(settings["blocks"][1:]):
            for index in range(count):
                x = self.residual(x, f"detail.levels.{level}.{index}", 2 if level > 0 and index == 0 else 1)
            maps[("half", "quarter")[level]] = x
        return maps

    def residual(self, x, name, stride):
        branch = self.conv_norm_relu(x, f"{name}.conv1", stride)
        branch = self.instance_norm(self.conv3(branch, f"{name}.conv2"), f"{name}.conv2.norm")
        if f"{name}.shortcut.conv.weight" in self.weights:
            x = self.instance_norm(self.pointwise(x, f"{name}.shortcut.conv", stride), f"{name}.shortcut.norm")
        self.part = name
        return self.elementwise("Relu", self.elementwise("Add", branch, x))

    def conv_norm_gelu(self, x, name):
        return self.elementwise("Gelu", self.group_norm(self.conv3(x, f"{name}.conv"), f"{name}.norm"))

    def decoder(self, taps, grid, maps):
        projected = [self.linear(tap, f"decoder.taps.{index}") for index, tap in enumerate(taps)]
        self.part = "decoder.taps"
        x = self.concat(projected, 2)
        x = self.transpose(self.reshape(x, [1, *grid, self.shapes[x][-1]]), [0, 4, 1, 2, 3])
        x = self.conv_norm_gelu(x, "decoder.mix")
        x = self.pixel_shuffle(self.pointwise(x, "decoder.to_quarter"), self.architecture["vit"]["patch_size"] // 4)
        if "quarter" in maps:
            detail = self.pointwise(maps["quarter"], "decoder.detail_quarter")
            gate = self.pointwise(self.concat([x, detail], 1), "decoder.fusion.gate")
            x = self.elementwise("Add", x, self.elementwise("Mul", self.elementwise("Sigmoid", gate), detail))
        x = self.conv_norm_gelu(x, "decoder.refine_quarter")
        x = self.pixel_shuffle(self.pointwise(x, "decoder.to_half"), 2)
        if "half" in maps:
            x = self.concat([x, maps["half"]], 1)
        half = self.conv_norm_gelu(x, "decoder.refine_half")
        logits = self.pixel_shuffle(self.pointwise(half, "decoder.head"), 2)
        if "full" in maps:
            x = self.pixel_shuffle(self.pointwise(half, "decoder.full.to_full"), 2)
            x = self.conv_norm_relu(self.concat([x, maps["full"]], 1), "decoder.full.conv1")
            x = self.conv_norm_relu(x, "decoder.full.conv2")
            logits = self.elementwise("Add", logits, self.pointwise(x, "decoder.full.head"))
        return logits


class Transformer(Graph):
    """The transformer alone, of images: its patch tokens after the last norm."""

    def network(self, images):
        tokens, grid, prefix = self.embed(images)
        rope = self.rope(prefix, *grid[1:])
        for index in range(self.architecture["vit"]["depth"]):
            tokens = self.block(f"vit.blocks.{index}", tokens, grid, prefix, rope)
        self.part = "vit.norm"
        patches = self.narrow(tokens, 1, prefix, self.shapes[tokens][1] - prefix)
        return self.layer_norm(patches, "vit.norm")
