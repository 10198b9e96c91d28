/** What passes between the stages of the pipeline. All pixels are stored row by row from the top left. */

import type { Box, Stain } from "../../space/screen/static/types.d.ts";

export type { Analysis, Box, Cell, Model, Rules, Settings, Stain } from "../../space/screen/static/types.d.ts";

/** A picture: 3 bytes a pixel, red, green and blue. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8Array;
}

/** One 32-bit float a pixel. */
export interface Plane {
  width: number;
  height: number;
  data: Float32Array;
}

/** One byte a pixel: 1 inside, 0 outside. */
export interface Mask {
  width: number;
  height: number;
  data: Uint8Array;
}

/** Numbers and their shape, as ONNX Runtime Web takes and gives them. */
export interface Tensor {
  data: Float32Array;
  dims: readonly number[];
}

/** A network that is loaded. */
export interface Network {
  /** Whether the height and the width of its input are free. */
  takesAnySize: boolean;
  /** Return the outputs for an input, in the order of the file. */
  run(input: Tensor): Promise<Tensor[]>;
}

/** What of a segmenter's `config.json` is used, see `marrow.segmenter.SegmenterConfig`. */
export interface SegmenterConfig {
  input_size: number;
  confidence: number;
  iou: number;
  labels: string[];
  max_object_size?: number;
}

/** How a cell is cut out, see `marrow.crop.CropConfig`. */
export interface CropConfig {
  size: number;
  context: number;
  background: number;
}

/** What of a classifier's `config.json` is used, see `marrow.classifier.ClassifierConfig`. */
export interface ClassifierConfig {
  id2label: Record<string, string>;
  crop: Partial<CropConfig>;
  temperature: number;
  uncertain_below: number;
  /** Number of training images by code, origin and laboratory. */
  trained_on: Record<string, Record<string, Record<string, number>>>;
  tta_rotations?: number;
  reject_logit?: number | null;
  /** How the temperature, that of a cell of this unlikeness, grows with it. */
  softening?: { unlikeness: number; exponent: number } | null;
  unlike_above?: number | null;
  stains?: Stain[];
  stain_far_above?: number | null;
}

/** A part of a picture at one scale, see `marrow.pyramid.Tile`. */
export interface Tile {
  /** In whole pixels of the picture. */
  box: Box;
  /** Size at which it is shown to the network, 1 or less. */
  scale: number;
  /** Whether the left, top, right and bottom border runs through the picture. */
  cut: [boolean, boolean, boolean, boolean];
}

/** Where a picture lies in the network's input. */
export interface Frame {
  /** Width and height of the picture in pixels. */
  limit: [number, number];
  /** Pixels of the input in one of the picture. */
  scale: number;
  /** Left and top of the picture in the input, outside of it where the input shows a tile. */
  offset: [number, number];
  /** Pixels of the input in one of the mask logits. */
  stride: number;
}

/** A cell found at one scale. */
export interface Candidate {
  /** In pixels of the input. */
  box: Box;
  /** 0 to 1. */
  score: number;
  /** Logits of its mask, in its box and a little around it. */
  logits: Plane;
  /** Column and row of the prototypes at which they begin. */
  corner: [number, number];
  frame: Frame;
}

/** A cell before it has a name, in pixels of the picture, see `marrow.cell.Detection`. */
export interface Detection {
  box: Box;
  polygon: [number, number][];
  area: number;
  score: number;
}

/** Is told the share of the work that is done, 0 to 1; what it throws ends the work. */
export type Progress = (share: number) => void;
