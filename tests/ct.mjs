// A CT of a made-up thing, far larger than usual.

export const SHAPE = [512, 512, 600];
const SPACING = [0.5, 0.5, 1];
/** Half the egg's length along each axis in voxels: 205 × 205 × 192 mm, in the middle. */
const RADII = [205, 205, 96];

/** Slices of an egg with a shell, in Hounsfield units, after a header of NIfTI-1. Voxels that are longer than wide: fewer are labelled. */
export function* ct() {
  const header = Buffer.alloc(352);
  header.writeInt32LE(348, 0);
  [3, ...SHAPE, 1, 1, 1, 1].forEach((edge, i) => header.writeInt16LE(edge, 40 + 2 * i));
  header.writeInt16LE(4, 70);
  header.writeInt16LE(16, 72);
  [1, ...SPACING].forEach((edge, i) => header.writeFloatLE(edge, 76 + 4 * i));
  header.writeFloatLE(352, 108);
  header.writeInt16LE(1, 254);
  SPACING.forEach((edge, row) => header.writeFloatLE(edge, 280 + 20 * row));
  header.write("n+1\0", 344, "latin1");
  yield header;
  const [columns, rows, slices] = SHAPE;
  for (let z = 0; z < slices; z++) {
    const slice = new Int16Array(columns * rows).fill(-1000);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const away = ((x - columns / 2) / RADII[0]) ** 2 + ((y - rows / 2) / RADII[1]) ** 2 + ((z - slices / 2) / RADII[2]) ** 2;
        if (away < 1) slice[y * columns + x] = away > 0.8 ? 700 : 30 + 8 * (((x ^ y ^ z) >> 4) & 3);
      }
    }
    yield Buffer.from(slice.buffer);
  }
}
