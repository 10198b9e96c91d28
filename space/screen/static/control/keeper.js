// Keeps corrections in the browser as they are made, and brings them back to the same picture.

import { format } from "../model/count.js";
import { openState } from "../model/edits.js";
import { digestOf, isEdited, isUsable, keptOf, waitingValue } from "../model/kept.js";
import { Work } from "../model/work.js";
import { rememberReviewer } from "./reviewer.js";
import { Store } from "./store.js";

/** @import { Value } from "../types.d.ts" */
/** @import { Kept } from "../model/kept.js" */
/** @import { Viewer } from "./viewer.js" */
/** @typedef {{now: object, confidence: number, caseId: string | null}} Noted what was kept of a work last */
/** @typedef {{isThere: Promise<boolean>, end: (isThere: boolean) => void}} Arrival a picture that is being sent again */

const OPEN = "marrow-open"; // names the picture that a tab shows, for after a reload
const PATIENCE = 120_000; // milliseconds for a picture that is sent again

export class Keeper {
  /**
   * @param {Viewer} viewer
   * @param {Store} store
   */
  constructor(viewer, store = new Store()) {
    this.viewer = viewer;
    this.store = store;
    this.words = viewer.context.words;
    /** @type {"kept" | "full" | "none"} whether the browser keeps what it is given, or why not */
    this.state = "kept";
    this.told = this.state;
    this.keepsPictures = false;
    /** @type {Kept[]} what is kept, as of the last look */
    this.found = [];
    /** @type {WeakMap<Work, Noted>} works of which is known what was kept before */
    this.noted = new WeakMap();
    /** @type {Promise<unknown>} one after the other */
    this.writing = Promise.resolve();
    this.unwritten = 0;
    /** @type {Map<string, Arrival>} pictures that are being sent again, by their digests */
    this.arrivals = new Map();
  }

  /**
   * Tell whether the corrections of a work would be there again after the page is left.
   * @param {Work} work
   */
  keeps(work) {
    return this.state === "kept" && this.unwritten === 0 && Boolean(work.value.digest) && this.noted.has(work);
  }

  /** Find what is kept, for whoever comes back; open again what this tab showed, where its picture is here. */
  async start() {
    await this.refresh();
    const shown = this.found.find(({ digest }) => digest === readOpen());
    if (shown && !this.viewer.current) await this.reopen(shown);
  }

  /** Open nothing by itself after a reload. */
  leave() {
    rememberOpen("");
    this.refresh();
  }

  async refresh() {
    this.found = await this._usable();
    this.viewer.page.onKept?.();
  }

  /**
   * Open a picture that is kept once more; return whether it is.
   * @param {{digest?: string, file: string}} of
   */
  async reopen({ digest = "", file }) {
    const picture = await this._try(() => this.store.picture(digest), undefined);
    if (picture) this.viewer.page.analyze(new File([picture], file, { type: picture.type }));
    return Boolean(picture);
  }

  /**
   * Bring an image back that the server has forgotten, once for all who ask for it; return whether it is there again.
   * @param {Work} work
   * @returns {Promise<boolean>}
   */
  resend({ value }) {
    const { digest = "" } = value;
    const known = this.arrivals.get(digest);
    if (known) return known.isThere;
    const arrival = newArrival();
    this.arrivals.set(digest, arrival);
    this.reopen(value).then((isKept) => isKept || arrival.end(false));
    arrival.isThere.then(() => this.arrivals.delete(digest));
    return arrival.isThere;
  }

  /**
   * Return the work that a picture belongs to which comes once more; null for another picture.
   * @param {Value} value
   */
  adopt(value) {
    const { viewer } = this;
    const works = viewer.current ? [viewer.current, ...viewer.currentCase.works] : viewer.currentCase.works;
    const work = works.find((one) => value.digest && one.value.digest === value.digest);
    if (!work) return null;
    work.value = { ...value, models: work.value.models };
    if (value.key) work.keys.push(value.key);
    viewer.pictures.renew(work);
    return work;
  }

  /**
   * Take up the corrections that are kept for a newly opened picture, and its case.
   * @param {Work} work
   */
  async restore(work) {
    const { pictures, context } = this.viewer;
    work.value.digest ??= await digestOf(await pictures.pixels(work));
    const { digest } = work.value;
    if (!digest) return;
    rememberOpen(digest);
    const kept = await this._try(() => this.store.work(digest), undefined);
    if (kept && isUsable(kept, context.settings.labels)) {
      this._takeUp(work, kept);
      if (kept.caseId) await this._restoreCase(work, kept.caseId);
    }
    this._remember(work, kept?.caseId ?? null);
    const picture = await this._try(() => this.store.picture(digest), undefined);
    if (picture) this.keepsPictures = true;
    else if (this.keepsPictures) await this._keepPicture(work);
  }

  /**
   * @param {Work} work
   * @param {Kept} kept
   */
  _takeUp(work, { analysis, minConfidence, keys, at, version, caseId }) {
    const { viewer } = this;
    const state = openState(analysis.cells, analysis.removed, analysis.models.reference);
    work.version = version;
    work.keys = [...new Set([...keys, ...work.keys])];
    work.minConfidence = minConfidence;
    work.confidence = analysis.confidence;
    work.value.models = analysis.models;
    const isChanged = JSON.stringify(state) !== JSON.stringify(work.now);
    if (isChanged) work.go(state);
    this._remember(work, caseId);
    if (work !== viewer.current) return;
    viewer.layout.setConfidence(work.confidence, work.minConfidence);
    if (isChanged) viewer.say(format(this.words.restored, { time: viewer.context.timeOf(at) }));
  }

  /**
   * Lay the other images of a kept case beside the first that is opened; they wait for their pictures.
   * @param {Work} work
   * @param {string} id
   */
  async _restoreCase(work, id) {
    const { currentCase, context, pictures } = this.viewer;
    const members = (await this._usable()).filter(({ caseId }) => caseId === id).sort((a, b) => a.place - b.place);
    if (currentCase.works.length) return;
    currentCase.id = id;
    currentCase.works = members.map((kept) => {
      if (kept.digest === work.value.digest) return work;
      const waiting = new Work(waitingValue(kept), context.settings);
      this._takeUp(waiting, kept);
      return waiting;
    });
    currentCase.isSaved = false;
    pictures.keep(work);
  }

  /** Keep whatever has changed since it was kept last; called whenever the screen is drawn. */
  note() {
    const { current, currentCase } = this.viewer;
    for (const work of new Set([...currentCase.works, current])) if (work) this.noteWork(work);
  }

  /** @param {Work} work */
  noteWork(work) {
    const known = this.noted.get(work);
    const caseId = this.viewer.currentCase.idFor(work);
    if (!known || (known.now === work.now && known.confidence === work.confidence && known.caseId === caseId)) return;
    this._remember(work, caseId);
    if (isEdited(work) || caseId || work.version) this._write(work);
  }

  /**
   * @param {Work} work
   * @param {string | null} caseId
   */
  _remember(work, caseId) {
    this.noted.set(work, { now: work.now, confidence: work.confidence, caseId });
  }

  /** @param {Work} work */
  _write(work) {
    this.unwritten += 1;
    this.writing = this.writing.then(async () => {
      await this._put(work, () => work.version);
      this.unwritten -= 1;
    });
  }

  /**
   * @param {Work} work
   * @param {() => string | null} seen the version that it takes the place of
   * @returns {Promise<void>}
   */
  async _put(work, seen) {
    const { viewer } = this;
    if (!this.noted.has(work)) return; // forgotten meanwhile
    const kept = keptOf(work, viewer.currentCase);
    this.state = "kept";
    const other = await this._try(() => this.store.put(kept, seen()), null);
    if (other) return this._settle(work, other);
    if (this.state === "kept") work.version = kept.version;
    if (this.state === this.told) return;
    this.told = this.state;
    viewer.draw();
    if (this.state !== "kept") viewer.say(this.words[`kept_${this.state}`], true);
  }

  /**
   * Ask whose corrections count where another tab has kept some of the same image meanwhile.
   * @param {Work} work
   * @param {Kept} other
   */
  async _settle(work, other) {
    const { viewer, words } = this;
    const asked = format(words.other_tab, { file: work.value.file, time: viewer.context.timeOf(other.at) });
    if (!confirm(asked)) return this._put(work, () => other.version);
    this._takeUp(work, other);
    viewer.draw();
  }

  /**
   * Keep the pictures too, or no longer.
   * @param {boolean} isKept
   */
  async keepPictures(isKept) {
    const { viewer } = this;
    this.keepsPictures = isKept;
    for (const work of new Set([...viewer.currentCase.works, viewer.work])) {
      const { digest } = work.value;
      if (isKept) await this._keepPicture(work);
      else if (digest) await this._try(() => this.store.removePicture(digest), undefined);
    }
    viewer.draw();
  }

  /** @param {Work} work */
  async _keepPicture(work) {
    const { digest, original } = work.value;
    if (!digest || !original) return;
    const answer = await fetch(original.url).catch(() => null);
    if (!answer?.ok) return this.viewer.say(this.words.failed, true);
    const picture = await answer.blob();
    await this._try(() => this.store.putPicture(digest, picture), undefined);
    if (this.state !== "kept") this.viewer.say(this.words[`kept_${this.state}`], true);
    this._write(work);
  }

  /** Remove everything of the case on the screen, from this browser and the server; return a sentence if that failed. */
  async forget() {
    const { viewer } = this;
    const works = [...new Set([...viewer.currentCase.works, viewer.work])];
    for (const work of works) this.noted.delete(work);
    await this.writing;
    await this.forgetKept(works.map(({ value }) => value.digest || ""));
    const { error } = await viewer.ask("forget", { key: undefined, keys: works.flatMap(({ keys }) => keys) });
    return error || "";
  }

  /**
   * Remove works and pictures, and the reviewer's name, from this browser.
   * @param {string[]} digests
   */
  async forgetKept(digests) {
    rememberOpen("");
    rememberReviewer("");
    this.keepsPictures = false;
    for (const digest of digests) await this._try(() => this.store.remove(digest), undefined);
    await this.refresh();
  }

  async _usable() {
    const { labels } = this.viewer.context.settings;
    return (await this._try(() => this.store.works(), [])).filter((kept) => isUsable(kept, labels));
  }

  /**
   * Do something with the store; where that cannot be, note why, and lose nothing in the page.
   * @template Result
   * @param {() => Promise<Result>} act
   * @param {Result} otherwise
   */
  async _try(act, otherwise) {
    try {
      return await act();
    } catch (error) {
      this.state = error instanceof DOMException && error.name === "QuotaExceededError" ? "full" : "none";
      return otherwise;
    }
  }
}

/** @returns {Arrival} */
function newArrival() {
  const arrival = /** @type {Arrival} */ ({});
  arrival.isThere = new Promise((resolve) => {
    arrival.end = resolve;
    setTimeout(() => resolve(false), PATIENCE);
  });
  return arrival;
}

function readOpen() {
  try {
    return sessionStorage.getItem(OPEN);
  } catch {
    return null; // a browser that stores nothing for this page
  }
}

/** @param {string} digest */
function rememberOpen(digest) {
  try {
    sessionStorage.setItem(OPEN, digest);
  } catch {
    // then the picture is to be chosen again after a reload
  }
}
