// The pictures of the works: loaded once, kept, and cut into crops.

import { make } from "./dom.js";

/** @import { NewCell } from "../types.d.ts" */
/** @import { Work } from "../model/work.js" */

const SMALL = 76; // side in pixels of the picture of a work

export class Pictures {
  /**
   * @param {number} cropScale sides of the classifier's crop per longer side of the cell's box
   * @param {(work: Work) => void} onLoad called when a picture is there
   */
  constructor(cropScale, onLoad) {
    this.cropScale = cropScale;
    this.onLoad = onLoad;
    /** @type {WeakMap<Work, HTMLImageElement>} */
    this.images = new WeakMap();
    /** @type {WeakMap<Work, HTMLCanvasElement>} */
    this.middles = new WeakMap();
    /** @type {WeakMap<NewCell["box"], HTMLCanvasElement>} */
    this.thumbnails = new WeakMap();
  }

  /**
   * Return the picture of a work; it loads at the first call.
   * @param {Work} work
   */
  of(work) {
    return once(this.images, work, () => {
      const image = new Image();
      image.addEventListener("load", () => {
        this.thumbnails = new WeakMap();
        this.onLoad(work);
      });
      if (work.value.picture) image.src = work.value.picture.url;
      return image;
    });
  }

  /**
   * Load the picture of a work anew, from where it is now.
   * @param {Work} work
   */
  renew(work) {
    this.images.delete(work);
    this.middles.delete(work);
  }

  /**
   * Return the pixels of a picture.
   * @param {Work} work
   */
  async pixels(work) {
    const picture = this.of(work);
    await picture.decode();
    const { naturalWidth: width, naturalHeight: height } = picture;
    const pen = penOf(make("canvas", { width, height }));
    pen.drawImage(picture, 0, 0);
    return pen.getImageData(0, 0, width, height).data;
  }

  /**
   * Keep a picture here, since the server forgets it.
   * @param {Work} work
   */
  async keep(work) {
    const image = this.of(work);
    if (!image.src || image.src.startsWith("blob:")) return;
    try {
      image.src = URL.createObjectURL(await (await fetch(image.src)).blob());
    } catch {
      // as long as the server has it, the browser finds it there
    }
  }

  /**
   * Return the middle of a picture, small, once it is there.
   * @param {Work} work
   */
  middle(work) {
    const picture = this.of(work);
    const { naturalWidth: width, naturalHeight: height } = picture;
    if (!width) return make("i.blank", work.value.key ? "" : "?");
    return once(this.middles, work, () => {
      const side = Math.min(width, height);
      const canvas = make("canvas", { width: SMALL, height: SMALL });
      penOf(canvas).drawImage(picture, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SMALL, SMALL);
      return canvas;
    });
  }

  /**
   * Cut the square that the classifier sees around a cell out of the picture.
   * @param {Work} work
   * @param {NewCell} cell
   * @param {number} side in pixels of the page
   */
  crop(work, cell, side) {
    const picture = this.of(work);
    const [x0, y0, x1, y1] = cell.box;
    const scale = picture.naturalWidth / work.value.image.width;
    const width = Math.max(x1 - x0, y1 - y0, 1) * this.cropScale;
    const canvas = make("canvas", { width: 2 * side, height: 2 * side, style: `width:${side}px;height:${side}px` });
    const [left, top] = [(x0 + x1 - width) / 2, (y0 + y1 - width) / 2];
    penOf(canvas).drawImage(picture, left * scale, top * scale, width * scale, width * scale, 0, 0, 2 * side, 2 * side);
    return canvas;
  }

  /**
   * Return the crop of a cell in the gallery, made once.
   * @param {Work} work
   * @param {NewCell} cell
   */
  thumbnail(work, cell) {
    return once(this.thumbnails, cell.box, () => this.crop(work, cell, 64));
  }
}

/**
 * Return what is kept for a key, made at the first call.
 * @template {WeakKey} Key
 * @template Kept
 * @param {WeakMap<Key, Kept>} kept
 * @param {Key} key
 * @param {() => Kept} makeIt
 */
function once(kept, key, makeIt) {
  const known = kept.get(key) || makeIt();
  kept.set(key, known);
  return known;
}

/**
 * Return the pen of a canvas, which scales pictures well.
 * @param {HTMLCanvasElement} canvas
 */
export function penOf(canvas) {
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.imageSmoothingQuality = "high";
  return pen;
}
