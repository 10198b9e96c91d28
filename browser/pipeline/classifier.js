// Cells named from their crops, as `marrow/classifier.py` names them.

import { cropCell } from "./crop.js";
import { nearestStain } from "./stain.js";

/** @import { Box, ClassifierConfig, CropConfig, Network, Picture, Progress, Rules, Tensor } from "./types.d.ts" */

/** Crops that the network sees at once. */
const BATCH = 32;

/** Images from bone marrow under which a class does not count as learned from marrow. */
const SEEN_IN_MARROW = 50;

/** Unlikeness under which a cell is as like the training as any other. */
const LEAST_UNLIKE = 0.001;

/** @type {CropConfig} */
const DEFAULT_CROP = { size: 129, context: 0.15, background: 128 };

export class Classifier {
  /**
   * @param {ClassifierConfig} config
   * @param {Network} network
   */
  constructor(config, network) {
    this.config = config;
    this.network = network;
    this.labels = labelsOf(config);
    this.crop = { ...DEFAULT_CROP, ...config.crop };
  }

  /**
   * Name the cells in the boxes of a picture.
   * @param {Picture} picture
   * @param {Box[]} boxes in pixels
   * @param {Progress} [progress]
   * @returns {Promise<{probabilities: number[], unlikeness: number | null}[]>} for each box the probabilities in the
   *   order of `labels`, which add up to 1, or to less where none of the classes fits; and how unlike those of the
   *   training the cell is, 0 to 2, where the network says so
   */
  async name(picture, boxes, progress = () => {}) {
    const named = [];
    for (let first = 0; first < boxes.length; first += BATCH) {
      const crops = boxes.slice(first, first + BATCH).map((box) => cropCell(picture, box, this.crop));
      named.push(...(await this._name(networkInput(crops, this.crop.size))));
      progress(Math.min(first + BATCH, boxes.length) / boxes.length);
    }
    return named;
  }

  /** @param {Tensor} upright crops */
  async _name(upright) {
    /** @type {Tensor[][]} */
    const turns = [];
    for (let turn = 0, input = upright; turn < (this.config.tta_rotations ?? 1); turn++, input = quarterTurn(input)) {
      turns.push(await this.network.run(input));
    }
    const { reject_logit: rejectLogit = null } = this.config;
    const count = this.labels.length;
    return Array.from({ length: upright.dims[0] }, (_, i) => {
      const logits = turns.map(([first]) => first.data.subarray(i * count, (i + 1) * count));
      const unlikeness = meanUnlikeness(turns, i);
      return { probabilities: probabilities(logits, temperatureOf(this.config, unlikeness), rejectLogit), unlikeness };
    });
  }

  /** Return what a count must know of the classifier. */
  get rules() {
    return rulesOf(this.config);
  }

  /**
   * Return how far the colours of a picture are from those of the training, where the model names its stains.
   * @param {Picture} picture
   */
  stainDistance(picture) {
    return this.config.stains?.length ? nearestStain(picture, this.config.stains) : null;
  }
}

/**
 * Return the class codes in the order of the network's outputs.
 * @param {ClassifierConfig} config
 */
function labelsOf({ id2label }) {
  return Object.keys(id2label).map((_, i) => id2label[i]);
}

/**
 * Return what a count must know of the classifier.
 * @param {ClassifierConfig} config
 * @returns {Pick<Rules, "uncertain_below" | "not_from_marrow" | "unknown" | "unlike_above" | "stain_far_above">}
 */
export function rulesOf(config) {
  const labels = labelsOf(config);
  const images = (/** @type {string} */ code, /** @type {string[]} */ origins) =>
    origins
      .flatMap((origin) => Object.values(config.trained_on[code]?.[origin] ?? {}))
      .reduce((sum, number) => sum + Math.max(number, 0), 0);
  const origins = (/** @type {string} */ code) => Object.keys(config.trained_on[code] ?? {});
  return {
    uncertain_below: config.uncertain_below,
    not_from_marrow: labels.filter((code) => images(code, ["bone_marrow"]) < SEEN_IN_MARROW),
    unknown: labels.filter((code) => images(code, origins(code)) === 0),
    unlike_above: config.unlike_above ?? null,
    stain_far_above: config.stain_far_above ?? null,
  };
}

/**
 * Return crops as the network takes them, `(n, 3, size, size)` in -1 to 1.
 * @param {Picture[]} crops
 * @param {number} size
 * @returns {Tensor}
 */
export function networkInput(crops, size) {
  const pixels = size * size;
  const data = new Float32Array(crops.length * 3 * pixels);
  crops.forEach((crop, n) => {
    for (let i = 0; i < pixels; i++) {
      for (let channel = 0; channel < 3; channel++) {
        data[(3 * n + channel) * pixels + i] = Math.fround(crop.data[3 * i + channel] / 127.5) - 1;
      }
    }
  });
  return { data, dims: [crops.length, 3, size, size] };
}

/**
 * Turn square planes by 90° against the clock.
 * @param {Tensor} tensor `(n, 3, size, size)`
 * @returns {Tensor}
 */
export function quarterTurn({ data, dims }) {
  const size = dims[3];
  const turned = new Float32Array(data.length);
  for (let plane = 0, to = 0; plane < data.length; plane += size * size) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++, to++) turned[to] = data[plane + x * size + (size - 1 - y)];
    }
  }
  return { data: turned, dims };
}

/**
 * Return what divides the logits of a cell: more where it is unlike the training.
 * @param {Pick<ClassifierConfig, "temperature" | "softening">} config
 * @param {number | null} unlikeness
 */
export function temperatureOf({ temperature, softening }, unlikeness) {
  if (!softening || unlikeness === null) return temperature;
  return temperature * (Math.max(unlikeness, LEAST_UNLIKE) / softening.unlikeness) ** softening.exponent;
}

/**
 * Turn logits into probabilities, averaged over the rotations.
 * @param {ArrayLike<number>[]} turns logits of one cell at each rotation
 * @param {number} temperature divides the logits
 * @param {number | null} rejectLogit logit of none of the classes, which competes with them; nothing does when `null`
 */
export function probabilities(turns, temperature, rejectLogit) {
  const each = turns.map((logits) => {
    const scaled = Array.from(logits, (logit) => logit / temperature);
    const highest = Math.max(...scaled);
    const exponents = scaled.map((logit) => Math.exp(logit - highest));
    const rejected = rejectLogit === null ? 0 : Math.exp(rejectLogit / temperature - highest);
    const total = exponents.reduce((sum, value) => sum + value, rejected);
    return exponents.map((value) => value / total);
  });
  return each[0].map((_, k) => Math.fround(each.reduce((sum, one) => sum + one[k], 0) / each.length));
}

/**
 * Return the mean of the last output over the rotations, where it is the unlikeness.
 * @param {Tensor[][]} turns
 * @param {number} i number of the cell
 */
function meanUnlikeness(turns, i) {
  const last = turns.map((outputs) => outputs[outputs.length - 1]);
  const isThere = turns[0].length > 1 && last[0].dims.length === 2 && last[0].dims[1] === 1;
  return isThere ? Math.fround(last.reduce((sum, { data }) => sum + data[i], 0) / last.length) : null;
}
