// The work on one image: what the models found, what a person made of it, and the way back and forth.

class Work {
  /** @param {object} value an analysis as the server gives it: key, file, picture, image, models, cells */
  constructor(value) {
    this.value = value;
    this.picture = new Image();
    if (value.picture) this.picture.src = value.picture.url;
    this._start(openState(value.cells, value.removed));
    Object.assign(this, { lowest: settings.lowest, confidence: settings.confidence });
  }

  _start(state) {
    Object.assign(this, { now: state, past: [], future: [], saved: state });
  }

  /** Go on from a saved analysis; what it leaves out below its confidence cannot come back. */
  reopen({ cells, removed, confidence, models }) {
    this._start(openState(cells, removed));
    this.value = { ...this.value, models };
    Object.assign(this, { lowest: confidence, confidence });
  }

  /** Take up an edited state. */
  go(state) {
    this.past.push(this.now);
    Object.assign(this, { now: state, future: [] });
  }

  undo() {
    if (!this.past.length) return false;
    this.future.push(this.now);
    this.now = this.past.pop();
    return true;
  }

  redo() {
    if (!this.future.length) return false;
    this.past.push(this.now);
    this.now = this.future.pop();
    return true;
  }

  get isUnsaved() {
    return this.now !== this.saved;
  }

  /** Give the cells at the slider's confidence; what a person has seen passes it. */
  passing() {
    return this.now.cells.filter((cell) => cell.edited || cell.score >= this.confidence);
  }

  report() {
    return countCells(this.passing(), this.now.removed);
  }

  /** Give the analysis as it stands, in the layout of the JSON. */
  analysis() {
    const { image, models, source } = this.value; // `source` is the saved analysis of an image that is not here
    return { ...source, image, models, confidence: this.confidence, cells: this.passing(), removed: this.now.removed };
  }

  /** Give the middle of the picture, small, once it is there. */
  get small() {
    const { naturalWidth: width, naturalHeight: height } = this.picture;
    if (!width) return make("i", { class: "blank", text: this.value.key ? "" : "?" });
    if (!this.canvas) {
      const [side, shown] = [Math.min(width, height), 76];
      this.canvas = make("canvas", { width: shown, height: shown });
      const pen = this.canvas.getContext("2d");
      pen.imageSmoothingQuality = "high";
      pen.drawImage(this.picture, (width - side) / 2, (height - side) / 2, side, side, 0, 0, shown, shown);
    }
    return this.canvas;
  }

  /** Keep the picture here, since the server forgets it. */
  async keepPicture() {
    if (this.picture.src.startsWith("blob:")) return;
    try {
      this.picture.src = URL.createObjectURL(await (await fetch(this.picture.src)).blob());
    } catch {
      // as long as the server has it, the browser finds it there
    }
  }
}
