// A program of WebAssembly with less memory than the browser would give it.

import assert from "node:assert/strict";

const MEMORY_SECTION = 5;

/** A number as WebAssembly writes it (LEB128). */
function encoded(number) {
  const bytes = [];
  for (; number >= 128; number = Math.floor(number / 128)) bytes.push((number % 128) | 128);
  return [...bytes, number];
}

/** The number at a place, and the place behind it. */
function decoded(bytes, at) {
  let [number, shift] = [0, 1];
  for (; ; shift *= 128) {
    number += (bytes[at] & 127) * shift;
    if (bytes[at++] < 128) return [number, at];
  }
}

/** The same program, whose memory does not grow over `most(least)` pages of 64 KiB; `least` are those that it begins with. */
export function limitMemory(program, most) {
  for (let at = 8; at < program.length; ) {
    const [size, begin] = decoded(program, at + 1);
    if (program[at] === MEMORY_SECTION) {
      const [count, flag] = [program[begin], program[begin + 1]];
      assert.deepEqual([count, flag & ~1], [1, 0], "one memory, of this worker alone");
      const [least] = decoded(program, begin + 2);
      const section = [1, 1, ...encoded(least), ...encoded(most(least))];
      return Buffer.concat([program.subarray(0, at), Buffer.from([MEMORY_SECTION, ...encoded(section.length), ...section]), program.subarray(begin + size)]);
    }
    at = begin + size;
  }
  assert.fail("a program without memory");
}
