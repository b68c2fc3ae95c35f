// Just enough of DICOM for tests: one series of uncompressed slices, written apart from the program.

const EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1";
const MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4";

function element(group, number, vr, value) {
  const padding = vr === "UI" ? "\0" : " ";
  const bytes = typeof value === "string" ? Buffer.from(value.length % 2 ? value + padding : value, "latin1") : value;
  const isLong = vr === "OB" || vr === "OW";
  const head = Buffer.alloc(isLong ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, "latin1");
  if (isLong) head.writeUInt32LE(bytes.length, 8);
  else head.writeUInt16LE(bytes.length, 6);
  return Buffer.concat([head, bytes]);
}

function short(value) {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

/**
 * The files of an axial series as `{ name, bytes }`, the first one lowest: `value(x, y, z)` for each voxel, columns towards the
 * left, rows towards the back, `spacing` in mm from column to column, row to row and slice to slice. Instances are counted from `begin`
 * on: more of them at the same places are a second volume.
 */
export function makeSeries({ uid, number, description, shape: [columns, rows, slices], spacing: [dx, dy, dz], value, begin = 1 }) {
  return Array.from({ length: slices }, (_, z) => {
    const count = begin + z;
    const instance = `${uid}.${count}`;
    const pixels = Buffer.alloc(2 * columns * rows);
    for (let i = 0; i < columns * rows; i++) pixels.writeUInt16LE(value(i % columns, Math.floor(i / columns), z), 2 * i);
    const meta = Buffer.concat([
      element(0x0002, 0x0001, "OB", Buffer.from([0, 1])),
      element(0x0002, 0x0002, "UI", MR_IMAGE),
      element(0x0002, 0x0003, "UI", instance),
      element(0x0002, 0x0010, "UI", EXPLICIT_LITTLE_ENDIAN),
      element(0x0002, 0x0012, "UI", "1.2.3"),
    ]);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(meta.length);
    const bytes = Buffer.concat([
      Buffer.alloc(128),
      Buffer.from("DICM", "latin1"),
      element(0x0002, 0x0000, "UL", length),
      meta,
      element(0x0008, 0x0016, "UI", MR_IMAGE),
      element(0x0008, 0x0018, "UI", instance),
      element(0x0008, 0x0060, "CS", "MR"),
      element(0x0008, 0x103e, "LO", description),
      element(0x0018, 0x0050, "DS", `${dz}`),
      element(0x0020, 0x000d, "UI", "1.2.3.4"),
      element(0x0020, 0x000e, "UI", uid),
      element(0x0020, 0x0011, "IS", `${number}`),
      element(0x0020, 0x0013, "IS", `${count}`),
      element(0x0020, 0x0032, "DS", `-10\\-20\\${30 + dz * z}`),
      element(0x0020, 0x0037, "DS", "1\\0\\0\\0\\1\\0"),
      element(0x0020, 0x0052, "UI", "1.2.3.5"),
      element(0x0028, 0x0002, "US", short(1)),
      element(0x0028, 0x0004, "CS", "MONOCHROME2"),
      element(0x0028, 0x0010, "US", short(rows)),
      element(0x0028, 0x0011, "US", short(columns)),
      element(0x0028, 0x0030, "DS", `${dy}\\${dx}`),
      element(0x0028, 0x0100, "US", short(16)),
      element(0x0028, 0x0101, "US", short(12)),
      element(0x0028, 0x0102, "US", short(11)),
      element(0x0028, 0x0103, "US", short(0)),
      element(0x7fe0, 0x0010, "OW", pixels),
    ]);
    return { name: `${number}-${String(count).padStart(3, "0")}.dcm`, bytes };
  });
}
