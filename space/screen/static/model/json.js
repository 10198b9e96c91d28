// JSON as Python's json.dumps(…, indent=1) writes it: floats keep their point, and all but ASCII is escaped.

/** A number that Python holds as a float, rounded as Python rounds. */
export class Float {
  /**
   * @param {number} value
   * @param {number} [digits] after the point; all that there are when left out
   */
  constructor(value, digits) {
    this.value = digits === undefined ? value : round(value, digits);
  }

  /** Write the shortest text that reads back as the number, as Python's repr() does. */
  toString() {
    const size = Math.abs(this.value);
    if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
      return this.value.toExponential().replace(/e-(\d)$/, "e-0$1");
    }
    const text = Object.is(this.value, -0) ? "-0" : String(this.value);
    return Number.isInteger(this.value) ? `${text}.0` : text;
  }
}

/**
 * Round to the nearest decimal; of two that are as near, to the even one.
 * @param {number} value
 * @param {number} digits
 */
export function round(value, digits) {
  const exact = value.toFixed(digits + 30); // long enough to tell a tie from what is near one
  const cut = exact.slice(0, -30);
  const isTie = /^50*$/.test(exact.slice(-30));
  return Number(isTie && /[02468]$/.test(cut) ? cut : value.toFixed(digits));
}

/**
 * @param {any} value plain values, and Float for floats
 * @param {string} indent of the line on which it begins
 * @returns {string}
 */
export function writeJson(value, indent = "") {
  if (value instanceof Float) return value.toString();
  if (value === null || typeof value !== "object") return writePlain(value);
  const inner = `${indent} `;
  const rows = Array.isArray(value)
    ? value.map((item) => writeJson(item, inner))
    : Object.entries(value).map(([key, item]) => `${writePlain(key)}: ${writeJson(item, inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return rows.length ? `${open}\n${inner}${rows.join(`,\n${inner}`)}\n${indent}${close}` : open + close;
}

/** @param {string | number | boolean | null} value */
function writePlain(value) {
  return JSON.stringify(value).replace(
    /[\x7f-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
