// The reviewer's name, which the browser keeps for the next time.

const KEY = "marrow-reviewer";

/** Return the name, or "". */
export function readReviewer() {
  try {
    return localStorage.getItem(KEY) || "";
  } catch {
    return ""; // a browser that stores nothing for this page
  }
}

/** @param {string} name */
export function rememberReviewer(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // then it is asked for again next time
  }
}
