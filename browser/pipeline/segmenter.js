// Cells found in a picture, as `marrow/segmenter.py` finds them: at half the size at which it fits, then in tiles at
// twice that scale, and so on, where the coarser look left something to find.

import { findParts, suppress } from "./boxes.js";
import { decode, maskLogits } from "./decoding.js";
import { bucket, letterbox } from "./letterbox.js";
import { leastShare, Nuclei } from "./nuclei.js";
import { outline, place } from "./outline.js";
import { holds, listScales, listTiles } from "./pyramid.js";
import { cut } from "./resize.js";

/** @import { Box, Candidate, Detection, Frame, Network, Picture, Progress, SegmenterConfig, Tile } from "./types.d.ts" */

/** Share of `max_object_size` from which on a coarser scale counts too, and that scale against the next. */
const [COARSE_MIN_SIZE, COARSE_SCALE] = [0.65, 0.5];

/** Sure boxes in one from which on it is a crowd of cells, and no cell. */
const CROWD = 9;

/** Share of that size from which on all cells of a picture that fits are shown well enough. */
const ENOUGH = 0.5;

/** Share of the default confidence from which on something may be a cell that a finer scale shows. */
const DOUBT = 0.25;

export class Segmenter {
  /**
   * @param {SegmenterConfig} config
   * @param {Network} network
   */
  constructor(config, network) {
    this.config = config;
    this.network = network;
  }

  /**
   * Find the cells in a picture, by falling score.
   * @param {Picture} picture
   * @param {number} [confidence] lowest score to keep, 0 to 1; the model's default when left out
   * @param {Progress} [progress]
   * @returns {Promise<Detection[]>}
   */
  async find(picture, confidence = this.config.confidence, progress = () => {}) {
    const bound = Math.fround(confidence);
    const lowest = Math.min(confidence, this.config.confidence); // a cell may be surer for its parts
    const candidates = this.config.max_object_size
      ? await this._findAtAllScales(picture, lowest, progress)
      : await this._look(picture, wholeTile(picture), confidence);
    return candidates.filter(({ score }) => score >= bound).flatMap((candidate) => outline(candidate) ?? []);
  }

  /**
   * Find cells at every scale, those without a nucleus left out.
   * @param {Picture} picture
   * @param {number} confidence
   * @param {Progress} progress
   */
  async _findAtAllScales(picture, confidence, progress) {
    const nuclei = new Nuclei(picture);
    const merged = mergeScales(await this._lookAtAllScales(picture, nuclei, confidence, progress), this.config);
    const shares = nuclei.shares(merged.map(place));
    // as those of the default confidence tell it, whatever others are asked for
    const least = leastShare(shares.filter((_, i) => merged[i].score >= Math.fround(this.config.confidence)));
    return merged.filter((_, i) => shares[i] >= least);
  }

  /**
   * Find cells at every scale, the coarsest first; a finer tile is looked at where something is left to find.
   * @param {Picture} picture
   * @param {Nuclei} nuclei of the picture
   * @param {number} confidence
   * @param {Progress} progress
   */
  async _lookAtAllScales(picture, nuclei, confidence, progress) {
    const { input_size: side, max_object_size: largest = 0 } = this.config;
    const scales = listScales(picture.width, picture.height, side);
    const layout = scales.map((scale) => listTiles(picture.width, picture.height, side, scale));
    const number = layout.flat().length;
    const [fits, halved] = [scales.length === 2, largest * COARSE_SCALE];
    const lowest = fits ? Math.min(confidence, DOUBT * this.config.confidence) : confidence;
    /** @type {Candidate[]} */
    const kept = [];
    /** @type {{box: Box, isSmall: boolean}[]} */
    let seen = [];
    let done = 0;
    for (const [level, tiles] of layout.entries()) {
      const found = [];
      for (const tile of tiles) {
        if (fits || level === 0 || isOpen(tile, seen, nuclei)) {
          found.push(...(await this._look(picture, tile, lowest)));
        }
        done += 1;
        progress(done / number);
      }
      const least = level === scales.length - 1 ? 0 : COARSE_MIN_SIZE * halved;
      const most = level === 0 ? Infinity : largest;
      const size = (/** @type {Candidate} */ candidate) => longest(place(candidate)) * scales[level];
      // whatever confidence is asked for, the same is looked at
      const isSure = (/** @type {Candidate} */ { score }) => score >= Math.fround(this.config.confidence);
      const isShown = (/** @type {Candidate} */ candidate) =>
        isSure(candidate) && size(candidate) >= ENOUGH * COARSE_MIN_SIZE * halved;
      const doubted = found.filter(({ score }) => score >= Math.fround(DOUBT * this.config.confidence));
      if (fits && level === 0 && doubted.length && doubted.every(isShown)) return found;
      const isKept = (/** @type {Candidate} */ candidate) =>
        candidate.score >= Math.fround(confidence) && least <= size(candidate) && size(candidate) <= most;
      kept.push(...found.filter(isKept));
      seen = found.filter(isSure).map((candidate) => ({ box: place(candidate), isSmall: size(candidate) < least }));
    }
    return kept;
  }

  /**
   * Find the cells in a tile that none of its borders cuts; a picture that does not fit is made to.
   * @param {Picture} picture
   * @param {Tile} tile
   * @param {number} confidence
   * @returns {Promise<Candidate[]>}
   */
  async _look(picture, tile, confidence) {
    const { input_size: side, iou, labels } = this.config;
    const part = cut(picture, tile.box);
    const fits = tile.scale * Math.max(part.width, part.height) <= side;
    const size =
      fits && this.network.takesAnySize ? bucket(part, tile.scale) : /** @type {[number, number]} */ ([side, side]);
    const { input, scale, corner } = letterbox(part, size, fits ? tile.scale : undefined);
    const [rows, prototypes] = await this.network.run(input);
    /** @type {Frame} */
    const frame = {
      limit: [picture.width, picture.height],
      scale,
      offset: [corner[0] - tile.box[0] * scale, corner[1] - tile.box[1] * scale],
      stride: Math.floor(input.dims[2] / prototypes.dims[2]),
    };
    return decode(rows, confidence, iou, labels.length)
      .filter(({ box }) => holds(tile, place({ box, frame })))
      .map(({ box, score, coefficients }) => {
        const { logits, corner: begin } = maskLogits(coefficients, prototypes, box, frame.stride);
        return { box, score, logits, corner: begin, frame };
      });
  }
}

/**
 * @param {Picture} picture
 * @returns {Tile}
 */
function wholeTile({ width, height }) {
  return { box: [0, 0, width, height], scale: 1, cut: [false, false, false, false] };
}

/**
 * Return the longest side of a box.
 * @param {Box} box
 */
function longest([left, top, right, bottom]) {
  return Math.max(right - left, bottom - top);
}

/**
 * Tell whether there may be cells in a tile that the next coarser scale did not show well.
 * @param {Tile} tile of the finer scale
 * @param {{box: Box, isSmall: boolean}[]} seen what the coarser scale showed, in pixels of the picture
 * @param {Nuclei} nuclei of the picture
 */
function isOpen({ box }, seen, nuclei) {
  const [left, top, right, bottom] = box;
  const here = seen.filter(({ box: [x0, y0, x1, y1] }) => {
    const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
    return left <= x && x <= right && top <= y && y <= bottom;
  });
  return here.length ? here.some(({ isSmall }) => isSmall) : nuclei.areIn(box);
}

/**
 * Join what all scales found, by falling score: of boxes that overlap the best stays, and mere parts go.
 *
 * A part is a box that lies in that of a larger cell; the cell is then as sure as its surest part.
 * @param {Candidate[]} candidates
 * @param {SegmenterConfig} config
 */
function mergeScales(candidates, { iou, confidence }) {
  const places = candidates.map((candidate) => /** @type {Box} */ (place(candidate).map(Math.fround)));
  const scores = candidates.map(({ score }) => score);
  const order = suppress(places, scores, iou);
  const raised = order.map((i) => scores[i]);
  const pairs = findParts(
    order.map((i) => places[i]),
    order.map((i) => scores[i]),
    confidence,
  );
  const held = order.map(() => 0);
  for (const [part, cell] of pairs) held[cell] += Number(scores[order[part]] >= Math.fround(confidence));
  const dropped = new Set([...order.keys()].filter((rank) => held[rank] >= CROWD));
  for (const [part, cell] of pairs) {
    if (held[cell] >= CROWD) continue;
    raised[cell] = Math.max(raised[cell], scores[order[part]]);
    dropped.add(part);
  }
  const kept = order.map((i, rank) => ({ ...candidates[i], score: raised[rank] }));
  return kept.filter((_, rank) => !dropped.has(rank)).sort((a, b) => b.score - a.score);
}
