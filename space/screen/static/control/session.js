// Bringing work in and out: images, saved work, the case, and leaving with nothing lost.

import { Case, isSameImage } from "../model/case.js";
import { analysisToJson, caseToJson, toCsv } from "../model/export.js";
import { fits, isSavedFile, readSaved, stem } from "../model/saved.js";
import { Work } from "../model/work.js";
import { printFile, saveBlob, saveFile } from "../view/files.js";

/** @import { Analysis } from "../types.d.ts" */
/** @import { Viewer } from "./viewer.js" */

export class Session {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.words = viewer.context.words;
    /** @type {File | null} a saved file that waits for its image */
    this.pending = null;
  }

  /** Ask before work is lost that is neither saved, nor kept, nor in the case; return whether to go on. */
  mayLeave() {
    const { current, currentCase, keeper } = this.viewer;
    const isAtHand = !current?.isUnsaved || keeper.keeps(current) || currentCase.has(current);
    return isAtHand || confirm(this.words.leave);
  }

  /** Tell whether anything would be lost if the page were closed. */
  isAnythingLost() {
    const { current, currentCase, keeper } = this.viewer;
    const works = [current, ...currentCase.works].filter((work) => work !== null);
    return this.isAnythingUnsaved() && works.some((work) => work.value.key && !keeper.keeps(work));
  }

  isAnythingUnsaved() {
    const { current, currentCase } = this.viewer;
    const isCaseUnsaved = currentCase.works.length > 1 && !currentCase.isSaved;
    return isCaseUnsaved || [current, ...currentCase.works].some((work) => work?.isUnsaved);
  }

  /**
   * Take dropped files: an image is the next, a JSON is opened with it or with the image on the screen.
   * @param {File[]} files
   */
  async takeFiles(files) {
    const saved = files.find(isSavedFile);
    const image = files.find((file) => file !== saved);
    if (!image) return saved && this.openSaved(saved);
    if (!this.mayLeave()) return;
    this.pending = saved || null;
    this.viewer.page.analyze(image);
  }

  /**
   * Open a saved JSON: an analysis of this image, or a case.
   * @param {File} file
   */
  async openSaved(file) {
    const { viewer, words } = this;
    const { work, currentCase, context } = viewer;
    const saved = await readSaved(file, context.settings.labels);
    if (!saved) return viewer.say(words.not_saved_work, true);
    const { analyses, isCase } = saved;
    const isLost = isCase ? this.isAnythingUnsaved() : work.isUnsaved;
    if (isLost && !confirm(isCase ? words.leave_case : words.leave_work)) return;
    if (!isCase) {
      await this._reopen(work, analyses[0]);
      return;
    }
    const mine = analyses.find((plain) => fits(plain, work.value));
    currentCase.id = new Case(currentCase.settings).id;
    currentCase.works = analyses.map((plain) => (plain === mine ? work : this._waitingWork(plain)));
    if (mine) viewer.pictures.keep(work);
    if (mine && !(await this._reopen(work, mine))) currentCase.replace(work, null);
    currentCase.isSaved = true;
    viewer.draw();
  }

  /**
   * Make the work of a saved analysis whose image is not here: it counts, and waits.
   * @param {Analysis} plain
   */
  _waitingWork(plain) {
    const { image, models, cells, removed, file = "?" } = plain;
    const value = { key: null, file, picture: null, image, models, cells, removed, source: plain };
    const waiting = new Work(value, this.viewer.context.settings);
    waiting.reopen(plain);
    return waiting;
  }

  /**
   * Take up a saved analysis on its image; return whether it was one.
   * @param {Work} work
   * @param {Analysis} plain
   */
  async _reopen(work, plain) {
    const { viewer } = this;
    const { value, remark, error } = await viewer.ask("open_saved", { analysis: plain });
    if (!value) {
      viewer.say(error || this.words.failed, true);
      return false;
    }
    work.reopen(value);
    viewer.say(remark || this.words.reopened);
    viewer.show(work);
    return true;
  }

  /**
   * Give an image the corrections that are kept of it, or the saved work that waits for it.
   * @param {Work} work
   * @param {boolean} isNew
   */
  async resume(work, isNew) {
    const { currentCase, pictures, keeper } = this.viewer;
    const file = this.pending;
    this.pending = null;
    if (isNew) await keeper.restore(work);
    if (file) return this.openSaved(file);
    const waiting = currentCase.works.find(({ value }) => !value.key && fits(value, work.value));
    if (waiting?.value.source && (await this._reopen(work, waiting.value.source))) {
      currentCase.replace(waiting, work);
      pictures.keep(work);
    }
    this.viewer.draw();
  }

  /** Add the image on the screen to the case. */
  addToCase() {
    const { work, currentCase, pictures } = this.viewer;
    if (currentCase.works.some((one) => isSameImage(one, work))) return this.viewer.say(this.words.twice, true);
    currentCase.add(work);
    pictures.keep(work);
    this.viewer.draw();
  }

  /** @param {Work} work */
  removeFromCase(work) {
    const { viewer } = this;
    if (work !== viewer.current && work.isUnsaved && !confirm(this.words.leave)) return;
    viewer.currentCase.replace(work, null);
    viewer.keeper.noteWork(work);
    if (viewer.view === "case" && !viewer.currentCase.works.length) viewer.view = "report";
    viewer.draw();
  }

  /** @param {string} kind */
  async download(kind) {
    const { work, context } = this.viewer;
    const { settings } = context;
    const analysis = work.analysis();
    if (kind === "csv") return this._save(`${stem(work.value.file)}.csv`, toCsv(analysis, settings));
    if (kind !== "json") return this._takeAway(kind, "export_file", { analysis });
    this._save(`${stem(work.value.file)}.json`, analysisToJson(analysis, settings));
    work.saved = work.now;
  }

  /** Save the case as one JSON. */
  saveCase() {
    const { currentCase, context } = this.viewer;
    this._save("case.json", caseToJson(this._namedAnalyses(), context.settings));
    for (const work of currentCase.works) work.saved = work.now;
    currentCase.isSaved = true;
  }

  /** Print the case; no image is needed for that. */
  printCase() {
    const analyses = this._namedAnalyses().map((analysis) => ({ key: null, file: analysis.file, analysis }));
    return this._takeAway("print", "print_case", { key: undefined, analyses });
  }

  _namedAnalyses() {
    return this.viewer.currentCase.works.map((work) => ({ file: work.value.file, ...work.analysis() }));
  }

  /**
   * Save a file that is made here.
   * @param {string} name
   * @param {string} text
   */
  _save(name, text) {
    saveBlob(name, new Blob([text]));
    this.viewer.say("");
  }

  /**
   * Save or print what the server makes.
   * @param {string} format
   * @param {string} what
   * @param {object} values
   */
  async _takeAway(format, what, values) {
    const asking = this.viewer.ask(what, { ...values, format });
    this.viewer.say(await (format === "print" ? printFile(asking) : asking.then(saveFile)), true);
  }

  /** Forget the case on the screen, once the visitor is sure. */
  async forget() {
    const { viewer, words } = this;
    if (!confirm(words.forget_sure)) return;
    const error = await viewer.keeper.forget();
    viewer.current = null;
    viewer.currentCase = new Case(viewer.context.settings);
    viewer.leave(false);
    if (error) alert(error);
  }
}
