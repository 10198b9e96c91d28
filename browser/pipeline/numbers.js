// Numbers rounded and ranked as Python and NumPy do.

/**
 * Return the nearest whole number; of two that are as near, the even one.
 * @param {number} value
 */
export function roundHalfEven(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + Math.abs(floor % 2) : Math.round(value) + 0; // never -0
}

/**
 * Bring a value into a range.
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/**
 * Return the median of some numbers, in single precision.
 * @param {Float32Array} values at least one; they are sorted in place
 */
export function median(values) {
  values.sort();
  const middle = values.length >> 1;
  return values.length % 2 ? values[middle] : Math.fround((values[middle - 1] + values[middle]) / 2);
}

/**
 * Return a percentile, in single precision, between two numbers where it falls between them.
 * @param {Float32Array} values at least one; they are sorted in place
 * @param {number} percent 0 to 100
 */
export function percentile(values, percent) {
  values.sort();
  const place = Math.fround((values.length - 1) * Math.fround(percent / 100));
  const index = Math.min(Math.floor(place), values.length - 1);
  const low = values[index];
  const step = Math.fround(values[Math.min(index + 1, values.length - 1)] - low);
  const share = Math.fround(place - index);
  // from the nearer end, as NumPy does
  return share < 0.5
    ? Math.fround(low + Math.fround(step * share))
    : Math.fround(low + step - Math.fround(step * Math.fround(1 - share)));
}
