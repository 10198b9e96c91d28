// The colours of a stained smear, measured as in `marrow/stain.py`.

import { blurPlane } from "./blur.js";
import { closedByDisc, dilatedByDisc, openedByDisc, otsu } from "./morphology.js";
import { clip, median, percentile } from "./numbers.js";
import { scaledSize, shrinkArea } from "./resize.js";
import { round } from "../../space/screen/static/model/json.js";

/** @import { Mask, Picture, Stain } from "./types.d.ts" */
/** @typedef {{width: number, height: number, channels: Float32Array[]}} Density red, green and blue, one a pixel each */

/** Optical density, summed over the channels, from which a place is not empty. */
const STAINED = Math.fround(0.3);

/** Pixels a side to which a larger picture is thinned before its colours are measured. */
const LARGE = 400;

/** Distance of a picture without a stain from those with one. */
const UNSTAINED = 12;

/** Pixels of a kind below which its colour says nothing. */
const FEW = 50;

/**
 * Measure the stain of a smear: its ground, 0 to 255, and the optical densities of its nuclei and of the rest.
 * @param {Picture} picture
 * @returns {Stain | null} none where there is no nucleus, or nothing but nuclei
 */
export function measureStain(picture) {
  const thin = shrinkArea(picture, ...thinnedSize(picture, LARGE));
  const ground = backgroundColour(thin).map(rounded);
  const density = opticalDensity(thin, ground);
  const inside = nuclearMask(density);
  const around = dilatedByDisc(inside, 9);
  const [red, green, blue] = density.channels;
  const isOther = (/** @type {number} */ i) =>
    !around.data[i] && Math.fround(Math.fround(red[i] + green[i]) + blue[i]) > STAINED;
  const nuclei = medians(density, (i) => inside.data[i] === 1);
  const others = medians(density, isOther);
  return nuclei && others ? { ground, nuclei, others } : null;
}

/**
 * Return the median of each channel over some pixels; none where they are too few.
 * @param {Density} density
 * @param {(i: number) => boolean} isChosen
 */
function medians({ channels }, isChosen) {
  const chosen = channels.map((channel) => channel.filter((_, i) => isChosen(i)));
  return chosen[0].length < FEW ? null : chosen.map((values) => rounded(median(values)));
}

/** @param {number} value */
function rounded(value) {
  return round(value, 4);
}

/**
 * Return width and height of an image of so many pixels a side at most.
 * @param {{width: number, height: number}} size
 * @param {number} longest
 */
export function thinnedSize(size, longest) {
  return scaledSize(size, Math.min(longest / Math.max(size.width, size.height), 1));
}

/**
 * Return how far a picture's stain is from the nearest of some, see `marrow.stain.stain_distance`; 0 is the same.
 * @param {Picture} picture
 * @param {Stain[]} stains at least one
 */
export function nearestStain(picture, stains) {
  const own = measureStain(picture);
  return own ? Math.min(...stains.map((stain) => stainDistance(own, stain))) : UNSTAINED;
}

/**
 * @param {Stain} one
 * @param {Stain} other
 */
function stainDistance(one, other) {
  const [mine, theirs] = [one, other].map(({ ground, nuclei, others }) => [
    ...ground.map((level) => -Math.log((level + 4) / 259)),
    ...nuclei,
    ...others,
  ]);
  return Math.sqrt(mine.reduce((sum, value, i) => sum + (value - theirs[i]) ** 2, 0) / mine.length);
}

/**
 * Return the colour of the empty smear: the median of the brightest 15 % of a thinned image, 0 to 255.
 * @param {Picture} picture
 */
export function backgroundColour({ width, height, data }) {
  const [down, across] = [height, width].map((side) => Math.max(1, Math.floor(side / 500)));
  const places = [];
  for (let y = 0; y < height; y += down) for (let x = 0; x < width; x += across) places.push(3 * (y * width + x));
  const brightness = Float32Array.from(places, (at) => data[at] + data[at + 1] + data[at + 2]);
  const bound = percentile(brightness.slice(), 85);
  const bright = places.filter((_, i) => brightness[i] >= bound);
  return [0, 1, 2].map((channel) => median(Float32Array.from(bright, (at) => data[at + channel])));
}

/**
 * Return the optical density of each channel, `-ln(I / ground)`.
 * @param {Picture} picture
 * @param {number[]} [ground] colour of the empty smear, measured when left out
 * @returns {Density}
 */
export function opticalDensity(picture, ground = backgroundColour(picture)) {
  const { width, height, data } = picture;
  const channels = ground.map((level, channel) => {
    const empty = Math.fround(Math.fround(level) + 4);
    const ofLevel = Float32Array.from({ length: 256 }, (_, i) => -Math.fround(Math.log(Math.fround((i + 4) / empty))));
    const values = new Float32Array(width * height);
    for (let i = 0; i < values.length; i++) values[i] = ofLevel[data[3 * i + channel]];
    return values;
  });
  return { width, height, channels };
}

/**
 * Mark nuclei, which absorb red and green much more than blue.
 *
 * Otsu's threshold is taken twice: stain against ground, then nucleus against cytoplasm.
 * @param {Density} density
 * @returns {Mask}
 */
export function nuclearMask(density) {
  const dark = darkness(density);
  const stained = 0.6 * otsu(dark);
  const inside = dark.filter((level) => level > stained);
  const threshold = inside.length ? otsu(inside) : 255;
  const { width, height } = density;
  const mask = { width, height, data: dark.map((level) => (level > threshold ? 1 : 0)) };
  return closedByDisc(openedByDisc(mask, 3), 7);
}

/**
 * Say how much of the colour of nuclei is in each pixel: how much more green than blue it absorbs, and how purely.
 * @param {Density} density
 * @returns {Float32Array}
 */
export function nuclearColour({ width, height, channels }) {
  const positive = channels.map((channel) => channel.map((value) => Math.max(value, 0)));
  const [red, green, blue] = positive.map((data) => blurPlane({ width, height, data }, 1).data);
  return green.map((value, i) => {
    const purple = Math.max(value - blue[i], 0);
    return purple * (purple / Math.max(red[i] + value + blue[i], 1e-6)) ** 2;
  });
}

/**
 * Return how dark each pixel is in red and green, but for what is as dark in blue, smoothed, in levels from 0 to 250.
 * @param {Density} density
 */
function darkness({ width, height, channels: [red, green, blue] }) {
  const data = new Float32Array(red.length);
  const share = Math.fround(0.9);
  for (let i = 0; i < data.length; i++) {
    const [r, g, b] = [Math.max(red[i], 0), Math.max(green[i], 0), Math.max(blue[i], 0)];
    data[i] = Math.fround(r + g) - Math.fround(share * b);
  }
  const smooth = blurPlane({ width, height, data }, 1).data;
  return Uint8Array.from(smooth, (value) => Math.fround(clip(value, 0, 2.5) * 100));
}
