// Bringing work in and out: images, saved work, the case, and leaving with nothing lost.

/** Ask before work is lost that is neither saved nor in the case; give whether to go on. */
function mayLeave() {
  return !work || !work.isUnsaved || kase.has(work) || confirm(words.leave);
}

function isAnythingUnsaved() {
  const isCaseUnsaved = kase.works.length > 1 && !kase.isSaved;
  return isCaseUnsaved || [work, ...kase.works].some((one) => one && one.isUnsaved);
}

/** Take dropped files: an image is the next, a JSON is opened with it or with the image on the screen. */
async function takeFiles(files) {
  const saved = files.find(isSavedFile);
  const image = files.find((file) => file !== saved);
  if (!image) return saved && openSaved(saved);
  if (!mayLeave()) return;
  state.pending = saved || null;
  trigger("dropped", { path: (await upload(image)).path });
}

/** Open a saved JSON: an analysis of this image, or a case. */
async function openSaved(file) {
  const { analyses, isCase, error } = await readSaved(file);
  if (error) return say(error, true);
  if (isCase ? isAnythingUnsaved() && !confirm(words.leave_case) : work.isUnsaved && !confirm(words.leave_work)) return;
  if (!isCase) return reopen(work, analyses[0]);
  const mine = analyses.find((plain) => fits(plain, work.value));
  kase.works = analyses.map((plain) => (plain === mine ? work : waitingWork(plain)));
  if (mine && !(await reopen(work, mine))) kase.replace(work, null);
  kase.isSaved = true;
  draw();
}

/** Make the work of a saved analysis whose image is not here: it counts, and waits. */
function waitingWork(plain) {
  const waiting = new Work({ ...plain, source: plain, key: null, picture: null, file: plain.file || "?" });
  waiting.reopen(plain);
  return waiting;
}

/** Take up a saved analysis on its image; give whether it was one. */
async function reopen(mine, plain) {
  const { value, remark, error } = await ask("open_saved", { analysis: plain });
  if (error) {
    say(error, true);
    return false;
  }
  mine.reopen(value);
  state.chosen = new Set();
  say(remark || words.reopened);
  show(mine);
  return true;
}

/** Give a new image the saved work that waits for it. */
async function resume(mine) {
  const file = state.pending;
  state.pending = null;
  if (file) return openSaved(file);
  const waiting = kase.works.find(({ value }) => !value.key && fits(value, mine.value));
  if (waiting && (await reopen(mine, waiting.value.source))) kase.replace(waiting, mine);
  draw();
}

async function download(kind) {
  const mine = work;
  const { now } = mine;
  const asking = ask("export_file", { format: kind, analysis: mine.analysis() });
  const error = await (kind === "print" ? printFile(asking) : asking.then(saveFile));
  if (kind === "json" && !error) mine.saved = now;
  say(error, true);
}

/** Print the case, or save it. */
async function takeCase(kind) {
  const analyses = kase.works.map((one) => ({ key: one.value.key, file: one.value.file, analysis: one.analysis() }));
  const asking = ask("print_case", { analyses, format: kind });
  const error = await (kind === "print" ? printFile(asking) : asking.then(saveFile));
  if (kind === "json" && !error) {
    for (const one of kase.works) one.saved = one.now;
    kase.isSaved = true;
  }
  say(error, true);
}
