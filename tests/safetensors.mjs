// safetensors files of single precision.

/** Reads a file's bytes; returns a `Map` from name to `{ shape, values }`. */
export function readSafetensors(bytes) {
  const buffer = Buffer.from(bytes);
  const length = Number(buffer.readBigUInt64LE(0));
  const header = JSON.parse(buffer.toString("utf8", 8, 8 + length));
  const tensors = new Map();
  delete header.__metadata__;
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(header)) {
    if (dtype !== "F32") throw new Error(`${name} is ${dtype}, expected F32`);
    // Copied, because the values may lie at an odd address.
    const data = Uint8Array.prototype.slice.call(buffer, 8 + length + from, 8 + length + to);
    tensors.set(name, { shape, values: new Float32Array(data.buffer) });
  }
  return tensors;
}

/** The bytes of a file of tensors. */
export function writeSafetensors(tensors) {
  const header = {};
  const parts = [];
  let at = 0;
  for (const [name, { shape, values }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + values.byteLength] };
    parts.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    at += values.byteLength;
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text + " ".repeat(-text.length & 7));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...parts]);
}
