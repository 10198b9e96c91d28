// Reads what `python -m tests.browser.fixtures` wrote: JSON, and the bytes of the arrays in it.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const KINDS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

const FOLDER = new URL("fixtures/", import.meta.url);

/** Return a fixture, or another pack of a folder; each array in it is `{data, dims}`. */
export function readPack(name, folder = FOLDER) {
  const file = (ending) => readFileSync(new URL(`${name}.${ending}`, folder));
  const bytes = gunzipSync(file("bin.gz"));
  return JSON.parse(file("json").toString(), (_, value) => (value?.array ? arrayOf(value, bytes) : value));
}

function arrayOf({ array, shape, at }, bytes) {
  const kind = KINDS[array];
  const length = shape.reduce((product, side) => product * side, 1);
  return { data: new kind(bytes.buffer.slice(bytes.byteOffset + at), 0, length), dims: shape };
}

/** Return a picture from an array `(height, width, 3)`. */
export function pictureOf({ data, dims: [height, width] }) {
  return { width, height, data };
}

/** Return the rows of an array as arrays. */
export function rowsOf({ data, dims: [rows, columns] }) {
  return Array.from({ length: rows }, (_, i) => [...data.subarray(i * columns, (i + 1) * columns)]);
}
