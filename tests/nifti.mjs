// Just enough of NIfTI-1 for tests: written apart from the program, so that both can't be wrong in the same way.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const READERS = {
  2: { bytes: 1, read: (view, at) => view.getUint8(at) },
  4: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  8: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  16: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  // Of a colour its red.
  128: { bytes: 3, read: (view, at) => view.getUint8(at) },
  256: { bytes: 1, read: (view, at) => view.getInt8(at) },
  512: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
};

/** The header's fields that say where voxels lie: dim, pixdim and units, both forms with their codes. */
const GEOMETRY = {
  dim: [40, 56],
  pixdim: [76, 108],
  units: [123, 124],
  formCodes: [252, 256],
  quaternion: [256, 280],
  srow: [280, 328],
};

/** A file or its bytes, gzipped or not. */
export function readNifti(source) {
  let bytes = typeof source === "string" ? readFileSync(source) : Buffer.from(source);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = gunzipSync(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isLittle = view.getInt32(0, true) === 348;
  const shape = Array.from({ length: view.getInt16(40, isLittle) }, (_, axis) => view.getInt16(42 + 2 * axis, isLittle));
  const reader = READERS[view.getInt16(70, isLittle)];
  const offset = view.getFloat32(108, isLittle);
  const count = shape.reduce((product, edge) => product * edge, 1);
  const voxels = Array.from({ length: count }, (_, i) => reader.read(view, offset + i * reader.bytes, isLittle));
  const spacing = [1, 2, 3].map((axis) => view.getFloat32(76 + 4 * axis, isLittle));
  const description = bytes.subarray(148, 228).toString("latin1").replaceAll("\0", "");
  return { bytes, view, isLittle, shape, voxels, spacing, description, geometry: geometryOf(bytes, isLittle) };
}

/** The geometry fields as bytes of a little-endian header, in hexadecimal. */
function geometryOf(bytes, isLittle) {
  const fields = {};
  for (const [name, [from, to]] of Object.entries(GEOMETRY)) {
    const field = Buffer.from(bytes.subarray(from, to));
    if (!isLittle) {
      if (name === "dim" || name === "formCodes") field.swap16();
      else if (name !== "units") field.swap32();
    }
    fields[name] = field.toString("hex");
  }
  return fields;
}

/** Dice coefficient of a label in two lists of voxels; 1 if neither has it. */
export function dice(a, b, label) {
  let [both, sum] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    both += a[i] === label && b[i] === label ? 1 : 0;
    sum += (a[i] === label ? 1 : 0) + (b[i] === label ? 1 : 0);
  }
  return sum === 0 ? 1 : (2 * both) / sum;
}

/** Share of voxels that are equal. */
export function agreement(a, b) {
  if (a.length !== b.length) return 0;
  return a.reduce((equal, value, i) => equal + (value === b[i] ? 1 : 0), 0) / a.length;
}

/** A NIfTI-1 file of float32 voxels, `value(x, y, z)`, 1 mm, RAS; `shape` may have more than three edges. */
export function makeNifti(shape, value) {
  const count = shape.reduce((product, edge) => product * edge, 1);
  const bytes = Buffer.alloc(352 + 4 * count);
  bytes.writeInt32LE(348, 0);
  bytes.writeInt16LE(shape.length, 40);
  for (let axis = 0; axis < 7; axis++) bytes.writeInt16LE(shape[axis] ?? 1, 42 + 2 * axis);
  bytes.writeInt16LE(16, 70);
  bytes.writeInt16LE(32, 72);
  for (let axis = 0; axis < 8; axis++) bytes.writeFloatLE(1, 76 + 4 * axis);
  bytes.writeFloatLE(352, 108);
  bytes.writeInt16LE(1, 254);
  for (let row = 0; row < 3; row++) bytes.writeFloatLE(1, 280 + 20 * row);
  bytes.write("n+1\0", 344, "latin1");
  for (let i = 0; i < count; i++) {
    const [x, y] = [i % shape[0], Math.floor(i / shape[0]) % shape[1]];
    const z = Math.floor(i / (shape[0] * shape[1]));
    bytes.writeFloatLE(value(x, y, z), 352 + 4 * i);
  }
  return bytes;
}
