// Files that pass between Python and these tests; `test_modules.py` names the folder.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.env.FIXTURES;
if (!folder) throw new Error("run `python -m pytest tests/space/static`: Python writes what these tests read");

export function readFixture(name) {
  return JSON.parse(readFileSync(join(folder, name), "utf8"));
}

export function writeFixture(name, plain) {
  writeFileSync(join(folder, name), JSON.stringify(plain));
}
