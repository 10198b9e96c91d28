// The browser's own store (IndexedDB): works by the digest of their picture, and pictures that are to be kept too.

/** @import { Kept } from "../model/kept.js" */
/** @typedef {"works" | "pictures"} Drawer */

export class Store {
  /** @param {string} name of the database */
  constructor(name = "marrow") {
    this.name = name;
    /** @type {Promise<IDBDatabase> | null} */
    this.opening = null;
  }

  /**
   * Return every work that is kept, the latest first.
   * @returns {Promise<Kept[]>}
   */
  async works() {
    /** @type {Kept[]} */
    const all = await this._ask("works", "readonly", (drawer) => drawer.getAll());
    return all.sort((a, b) => (a.at < b.at ? 1 : -1));
  }

  /**
   * @param {string} digest
   * @returns {Promise<Kept | undefined>}
   */
  work(digest) {
    return this._ask("works", "readonly", (drawer) => drawer.get(digest));
  }

  /**
   * Keep a work, unless what is kept is not the version that was seen last; return that other one then.
   * @param {Kept} kept
   * @param {string | null} seen
   * @returns {Promise<Kept | null>}
   */
  async put(kept, seen) {
    /** @type {Kept | null} */
    let other = null;
    await this._ask("works", "readwrite", (drawer) => {
      const asking = drawer.get(kept.digest);
      asking.addEventListener("success", () => {
        if (asking.result && asking.result.version !== seen) other = asking.result;
        else drawer.put(kept, kept.digest);
      });
      return asking;
    });
    return other;
  }

  /**
   * @param {string} digest
   * @returns {Promise<Blob | undefined>}
   */
  picture(digest) {
    return this._ask("pictures", "readonly", (drawer) => drawer.get(digest));
  }

  /**
   * @param {string} digest
   * @param {Blob} picture
   */
  putPicture(digest, picture) {
    return this._ask("pictures", "readwrite", (drawer) => drawer.put(picture, digest));
  }

  /** @param {string} digest */
  removePicture(digest) {
    return this._ask("pictures", "readwrite", (drawer) => drawer.delete(digest));
  }

  /**
   * Remove a work and its picture.
   * @param {string} digest
   */
  async remove(digest) {
    await this._ask("works", "readwrite", (drawer) => drawer.delete(digest));
    await this.removePicture(digest);
  }

  /**
   * Ask a drawer something; return the answer once it lies on the disk.
   * @template Result
   * @param {Drawer} name
   * @param {IDBTransactionMode} mode
   * @param {(drawer: IDBObjectStore) => IDBRequest<Result>} ask
   * @returns {Promise<Result>}
   */
  async _ask(name, mode, ask) {
    const database = await this._open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(name, mode, { durability: "strict" });
      const request = ask(transaction.objectStore(name));
      transaction.addEventListener("complete", () => resolve(request.result));
      transaction.addEventListener("abort", () => reject(transaction.error || request.error));
    });
  }

  /** @returns {Promise<IDBDatabase>} */
  _open() {
    this.opening ??= new Promise((resolve, reject) => {
      const opening = indexedDB.open(this.name, 1);
      opening.addEventListener("upgradeneeded", () => {
        for (const drawer of ["works", "pictures"]) opening.result.createObjectStore(drawer);
      });
      opening.addEventListener("success", () => {
        opening.result.addEventListener("close", () => {
          this.opening = null; // the browser took it away, to make room
        });
        resolve(opening.result);
      });
      opening.addEventListener("error", () => reject(opening.error));
    });
    return this.opening;
  }
}
