"""One training step of stage 2 in PyTorch: the network of the compact preset, to compare `cargo bench --bench train_step` with.

    python crates/cli/benches/pytorch_step.py [slices rows columns] [--threads N] [--steps N]

The same layers and sizes (the number of parameters is printed and must be the same), loss, clipping, AdamW and moving average of
weights as in the trainer; two random windows.
"""
import argparse
import copy
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

WIDTH, DEPTH, HEADS, HIDDEN, PATCH, REGISTERS, CLASSES = 128, 8, 4, 512, 8, 4, 3


def conv3(cin, cout, stride=1):
    return nn.Conv3d(cin, cout, 3, stride=(1, stride, stride), padding=1, bias=False)


def pointwise(cin, cout, bias=True):
    return nn.Conv3d(cin, cout, 1, bias=bias)


def shuffle(x, f):
    b, c, d, h, w = x.shape
    return x.view(b, c // f**2, f, f, d, h, w).permute(0, 1, 4, 5, 2, 6, 3).reshape(b, c // f**2, d, h * f, w * f)


def unshuffle(x, f):
    b, c, d, h, w = x.shape
    return x.view(b, c, d, h // f, f, w // f, f).permute(0, 1, 4, 6, 2, 3, 5).reshape(b, c * f**2, d, h // f, w // f)


class Adapter(nn.Module):
    def __init__(self):
        super().__init__()
        inner = WIDTH // 4
        self.norm, self.down, self.up = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, inner), nn.Linear(inner, WIDTH)
        self.depthwise = nn.Conv3d(inner, inner, 3, padding=1, groups=inner)
        nn.init.zeros_(self.up.weight)

    def forward(self, x, grid):
        b, d, h, w = grid
        prefix, patches = x[:, : 1 + REGISTERS], x[:, 1 + REGISTERS :]
        y = self.down(self.norm(patches)).view(b, d, h, w, -1).permute(0, 4, 1, 2, 3)
        y = F.gelu(self.depthwise(y)).permute(0, 2, 3, 4, 1).reshape(b * d, h * w, -1)
        return torch.cat([prefix, patches + self.up(y)], 1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.adapter = Adapter()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)
        self.ls1, self.ls2 = nn.Parameter(torch.full((WIDTH,), 0.1)), nn.Parameter(torch.full((WIDTH,), 0.1))

    def forward(self, x, grid, sin, cos):
        x = self.adapter(x, grid)
        n, t, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, HEADS, -1).permute(2, 0, 3, 1, 4)

        def rotate(y):
            prefix, y = y[:, :, : 1 + REGISTERS], y[:, :, 1 + REGISTERS :]
            a, b = y.chunk(2, -1)
            return torch.cat([prefix, y * cos + torch.cat([-b, a], -1) * sin], 2)

        a = F.scaled_dot_product_attention(rotate(q), rotate(k), v).transpose(1, 2).reshape(n, t, WIDTH)
        x = x + self.ls1 * self.proj(a)
        return x + self.ls2 * self.fc2(F.gelu(self.fc1(self.norm2(x))))


class ConvNormGelu(nn.Sequential):
    def __init__(self, cin, cout):
        super().__init__(conv3(cin, cout), nn.GroupNorm(8, cout), nn.GELU())


class Residual(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1, self.conv2 = conv3(cin, cout, stride), conv3(cout, cout)
        self.norm = nn.GroupNorm(cout, cout, affine=False)
        self.stride = stride
        self.short = pointwise(cin, cout, False) if stride != 1 or cin != cout else None

    def forward(self, x):
        y = self.norm(self.conv2(F.relu(self.norm(self.conv1(x)))))
        if self.short is not None:
            x = self.norm(self.short(x[..., :: self.stride, :: self.stride]))
        return F.relu(y + x)


class Compact(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.prefix = nn.Parameter(torch.randn(1, 1 + REGISTERS, WIDTH) * 0.02)
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH)
        # Detail recovery stream.
        self.full, self.stem = conv3(1, 16), conv3(4, 16)
        self.level1, self.level2 = Residual(16, 16, 1), Residual(16, 32, 2)
        self.instance = nn.GroupNorm(16, 16, affine=False)
        # Decoder.
        self.taps = nn.ModuleList(nn.Linear(WIDTH, 32) for _ in range(4))
        self.mix = ConvNormGelu(128, 64)
        self.to_quarter, self.detail_quarter = pointwise(64, 48 * 4), pointwise(32, 48)
        self.gate, self.refine_quarter = pointwise(96, 48), ConvNormGelu(48, 48)
        self.to_half, self.refine_half = pointwise(48, 24 * 4), ConvNormGelu(24 + 16, 24)
        self.head = pointwise(24, CLASSES * 4)
        # Refinement at full size.
        self.to_full, self.conv1, self.conv2 = pointwise(24, 16 * 4), conv3(32, 16), conv3(16, 16)
        self.head_full = pointwise(16, CLASSES)
        nn.init.zeros_(self.head_full.weight)

    def forward(self, volume):
        b, _, d, h, w = volume.shape
        slices = volume[:, 0]
        padded = torch.cat([slices[:, :1], slices, slices[:, -1:]], 1)
        images = torch.stack([padded[:, i : i + d] for i in range(3)], 2).view(b * d, 3, h, w)
        rows, columns = h // PATCH, w // PATCH
        x = self.embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.prefix.expand(b * d, -1, -1), x], 1)
        angle = torch.rand(rows * columns, WIDTH // HEADS)
        sin, cos = angle.sin(), angle.cos()
        taps = []
        for i, block in enumerate(self.blocks):
            x = block(x, (b, d, rows, columns), sin, cos)
            if i % 2:
                grid = self.norm(x[:, 1 + REGISTERS :])
                taps.append(self.taps[i // 2](grid).view(b, d, rows, columns, -1))
        x = torch.cat(taps, -1).permute(0, 4, 1, 2, 3)
        full = F.relu(self.instance(self.full(volume)))
        half = self.level1(F.relu(self.instance(self.stem(unshuffle(volume, 2)))))
        quarter = self.detail_quarter(self.level2(half))
        x = shuffle(self.to_quarter(self.mix(x)), 2)
        x = x + torch.sigmoid(self.gate(torch.cat([x, quarter], 1))) * quarter
        x = shuffle(self.to_half(self.refine_quarter(x)), 2)
        x = self.refine_half(torch.cat([x, half], 1))
        y = torch.cat([shuffle(self.to_full(x), 2), full], 1)
        y = F.relu(self.instance(self.conv2(F.relu(self.instance(self.conv1(y))))))
        return shuffle(self.head(x), 2) + self.head_full(y)


def loss_of(logits, target):
    logits = logits.flatten(2)
    cross_entropy = -(F.log_softmax(logits, 1) * target).sum() / target.sum()
    p = logits.softmax(1)[:, 1:]
    t = target[:, 1:]
    shared, predicted, present = ((p * t).sum((0, 2)), p.sum((0, 2)), t.sum((0, 2)))
    dice = (2 * shared + 1e-5) / (predicted + present + 1e-5)
    return 0.2 * cross_entropy + 0.8 * (1 - dice.mean())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("window", type=int, nargs="*", default=[40, 64, 48])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = Compact()
    average = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-2)
    d, h, w = options.window
    volume = torch.randn(2, 1, d, h, w)
    labels = torch.randint(0, CLASSES, (2, d * h * w))
    target = F.one_hot(labels, CLASSES).transpose(1, 2).float()
    seconds = []
    for _ in range(options.steps + 2):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = loss_of(model(volume), target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 0.005)
        loss.item()
        seconds.append(time.perf_counter() - start)
    seconds = sorted(seconds[2:])
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"PyTorch {torch.__version__}, {options.threads} threads, {parameters} parameters, two windows {d}x{h}x{w}: "
        f"median {seconds[len(seconds) // 2]:.2f} s, fastest {seconds[0]:.2f} s per step"
    )


main()
