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

/** @param {string} name - "" forgets it */
export function rememberReviewer(name) {
  try {
    if (name) localStorage.setItem(KEY, name);
    else localStorage.removeItem(KEY);
  } catch {
    // then it is asked for again next time
  }
}
