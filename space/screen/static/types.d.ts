/** What passes between server and viewer; the analysis has the layout of the JSON that `marrow/schema.py` reads. */

export type Box = [number, number, number, number];
export type Words = Record<string, string>;

/** What a person made of a cell, see `marrow.analysis.Edit`. */
export interface Edit {
  at: string;
  by: string | null;
  label: string | null;
  shape: string | null;
  from: number[];
}

/** Who edits, and when. */
export type Stamp = Pick<Edit, "at" | "by">;

/** An outline with its name, as the server gives it before it has a number. */
export interface NewCell {
  box: Box;
  polygon: [number, number][];
  area: number;
  score: number;
  label: string;
  probability: number;
  probabilities: Record<string, number>;
  /** To the cells of the training, 0 to 2. */
  unlikeness?: number | null;
}

export interface Cell extends NewCell {
  id: number;
  edited: Edit | null;
}

export interface Size {
  width: number;
  height: number;
  /** Of its stain to those of the training. */
  stain_distance?: number | null;
}

export interface Model {
  repo: string;
  revision: string | null;
}

/** Colours of ground (0 to 255), nuclei and the rest (optical density), in red, green and blue. */
export interface Stain {
  ground: number[];
  nuclei: number[];
  others: number[];
}

/** An analysis as it is saved; of a case, each names its `file`. */
export interface Analysis {
  image: Size;
  /** Of the networks, and the stain to which the colours were changed before the cells were named. */
  models: { segmenter: Model; classifier: Model; reference?: Stain | null };
  confidence: number;
  cells: Cell[];
  removed?: Cell[];
  file?: string;
  /** The count, and the rules by which it was made. */
  report?: Partial<
    Report & Pick<Rules, "uncertain_below" | "not_from_marrow" | "unknown" | "unlike_above" | "stain_far_above">
  >;
}

/** An analysis on the screen. */
export interface Value {
  /** Key of the upload; none for an image that is not here. */
  key: string | null;
  /** SHA-256 of the bytes of the picture's file, where they are at hand. */
  digest?: string;
  file: string;
  picture: { url: string } | null;
  /** The file itself, of which `picture` may be a smaller copy. */
  original?: { url: string } | null;
  image: Size;
  models: Analysis["models"];
  cells: Cell[];
  removed?: Cell[];
  /** The saved analysis of an image that is not here. */
  source?: Analysis;
}

/** The differential count: the keys of the JSON's "report" that the browser computes. */
export interface Report {
  found: number;
  edited: number;
  total: number;
  uncertain: number;
  counts: Record<string, number>;
  by_model: Record<string, number>;
  percent: Record<string, number>;
  intervals: Record<string, [number, number]>;
  lineages: Record<string, number>;
  stage_uncertain: Record<string, number>;
  me_ratio: number | null;
  /** Codes of the reasons for which there are counts alone. */
  warnings: string[];
  cell_size: number | null;
  unlikeness: number | null;
}

export interface Rules {
  uncertain_below: number;
  left_out: string[];
  lineages: { name: string; codes: string[] }[];
  myeloid: string[];
  erythroid: string[];
  floor: number;
  target: number;
  z95: number;
  doubtful: number;
  few: number;
  known_sizes: number[];
  not_from_marrow: string[];
  unknown: string[];
  unlike_above: number | null;
  stain_far_above: number | null;
}

/** How a class is drawn. */
export interface Style {
  colour: string;
  ink: string;
  edge: string;
  dashes: string;
}

/** What `screen.viewer.make_settings` gives. */
export interface Settings {
  labels: string[];
  names: Record<string, Words>;
  words: Record<string, Words>;
  notes: Record<string, Words>;
  lineage_names: Record<string, Words>;
  styles: Record<string, Style>;
  rules: Rules;
  /** Number of training images by code, origin and laboratory. */
  trained_on: Record<string, Record<string, Record<string, number>>>;
  min_confidence: number;
  confidence: number;
  formats: string[];
  max_comment: number;
  crop_scale: number;
  explains: boolean;
  models: string[];
  /** Minutes for which a server keeps a picture after its last use; none without a server. */
  server_keeps?: number;
}

/** An answer of the server: what was asked for, or the sentence that says why not. */
export interface Answer {
  error?: string;
  /** Why not, as a word. */
  reason?: string;
  heat?: string;
  cell?: NewCell;
  cells?: NewCell[];
  reference?: Stain | null;
  value?: Analysis;
  remark?: string | null;
  name?: string;
  content?: string;
  thanks?: string;
}

/** What the viewer needs of the page around it. */
export interface Page {
  /** Ask the server one of the functions of `screen.review.Review`; rejects where it cannot be reached. */
  ask(name: string, values: object): Promise<Answer>;
  /** Take an image that was dropped on the viewer; the page opens it when it is analyzed. */
  analyze(image: File): void;
  /** Leave the viewer, to choose another image; `canReturn` says whether there is something to come back to. */
  restart(canReturn: boolean): void;
  /** Show anew what the browser keeps, see `view/kept.js`. */
  onKept?(): void;
}

/** The element that `"name.class"` makes, from a map of elements by tag. */
export type ElementOf<Name extends string, Elements> = Name extends `${infer Tag}.${string}`
  ? ElementOf<Tag, Elements>
  : Name extends keyof Elements
    ? Elements[Name]
    : never;
