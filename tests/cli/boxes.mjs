// Made-up cases and a tiny network to train on them.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeNifti } from "../nifti.mjs";
import { root } from "../places.mjs";

/** Edge of a case in voxels. */
export const EDGE = 16;

const isInside = (number) => (x, y, z) => x >= 3 + (number % 3) && x < 11 && y >= 4 && y < 11 && z >= 4 && z < 12;

/** Bright boxes on dark ground, in the layout of the Medical Segmentation Decathlon. */
export function makeData(folder) {
  for (const name of ["imagesTr", "labelsTr"]) mkdirSync(join(folder, name));
  const training = [];
  for (let number = 0; number < 10; number++) {
    const inside = isInside(number);
    const noise = (x, y, z) => ((7 * x + 13 * y + 5 * z + 3 * number) % 11) - 5;
    const file = `box_${number}.nii`;
    const scan = makeNifti([EDGE, EDGE, EDGE], (x, y, z) => (inside(x, y, z) ? 300 : 100) + noise(x, y, z));
    writeFileSync(join(folder, "imagesTr", file), scan);
    writeFileSync(join(folder, "labelsTr", file), makeNifti([EDGE, EDGE, EDGE], (x, y, z) => Number(inside(x, y, z))));
    training.push({ image: `./imagesTr/${file}`, label: `./labelsTr/${file}` });
  }
  writeFileSync(join(folder, "dataset.json"), JSON.stringify({ labels: { 0: "background", 1: "Box" }, training }));
}

/** The same boxes in two channels, in the layout of nnU-Net v2; they stand out from stripes in the difference alone. */
export function makeTwoChannels(folder) {
  for (const name of ["imagesTr", "labelsTr"]) mkdirSync(join(folder, name));
  for (let number = 0; number < 10; number++) {
    const inside = isInside(number);
    const noise = (x, y, z) => ((7 * x + 13 * y + 5 * z + 3 * number) % 11) - 5;
    const stripes = (x) => 100 * (x % 2);
    const write = (file, value) => writeFileSync(join(folder, file), makeNifti([EDGE, EDGE, EDGE], value));
    write(`imagesTr/box_${number}_0000.nii`, (x, y, z) => stripes(x) + noise(x, y, z));
    write(`imagesTr/box_${number}_0001.nii`, (x, y, z) => stripes(x) + (inside(x, y, z) ? 200 : 0));
    write(`labelsTr/box_${number}.nii`, (x, y, z) => Number(inside(x, y, z)));
  }
  const json = { channel_names: { 0: "T1", 1: "T2" }, labels: { background: 0, Box: 1 }, numTraining: 10, file_ending: ".nii" };
  writeFileSync(join(folder, "dataset.json"), JSON.stringify(json));
}

/** A network so small that a test can train it, for so many channels. */
const tiny = (channels) => `
[architecture]
num_classes = 2
num_neighbours = 1
vit = { in_channels = ${3 * channels}, patch_size = 8, embed_dim = 16, depth = 4, num_heads = 2, mlp_dim = 32, num_registers = 1, layer_scale = 0.1, feed_forward = "mlp" }
end_slices = "repeat"
normed_taps = true
adaptation = { in-block = { reduction = 4, kernel = [3, 3, 3] } }
detail = { base_channels = 8, blocks = [0, 1, 1] }
decoder = { light = { tap_channels = 8, patch_channels = 8, quarter_channels = 8, half_channels = 8 } }
`;

/** The hippocampus recipe for boxes and a tiny network. */
export function makeRecipe(path, channels = 1) {
  const recipe = readFileSync(join(root, "recipes/hippocampus.toml"), "utf8")
    .replace(/^name = .*$/m, 'name = "box"')
    .replace(/^\[plane-cut\]\n(.+\n)*/m, "")
    .replace(/^colors = .*$/m, "colors = [[200, 30, 30]]")
    .replace(/^window = .*$/m, "window = [16, 16, 16]")
    .replace(/^learning-rate = .*$/gm, "learning-rate = 4e-3")
    .replace(/^warmup-steps = .*$/gm, "warmup-steps = 2")
    .replace(/^ema-decay = .*$/m, "ema-decay = 0.8");
  writeFileSync(path, recipe + tiny(channels));
}

/** A recipe that leaves everything to the data. */
export function makeShortRecipe(path) {
  writeFileSync(
    path,
    `name = "box"
title = "Box"
description = "Finds boxes."
modality = "boxes"
[data]
source = "made"
licence = "none"
weights-licence = "none"
attribution = "none"
[stage1]
epochs = 1
[stage2]
epochs = 1
${tiny(1)}`,
  );
}
