import { ErrnoAnswer } from "../core/errno-answer.js";

/** What the kernel refers to by numbers that it was given: open files, open directories. */
export class HandleTable<T> {
  readonly #handles = new Map<number, T>();
  #last = 0;

  get count(): number {
    return this.#handles.size;
  }

  values(): IterableIterator<T> {
    return this.#handles.values();
  }

  add(handle: T): number {
    const number = ++this.#last;
    this.#handles.set(number, handle);
    return number;
  }

  /** Fails with EBADF if there is none of that number. */
  get(number: number): T {
    const handle = this.#handles.get(number);
    if (handle === undefined) throw new ErrnoAnswer("EBADF", "no such handle");
    return handle;
  }

  find(number: number): T | undefined {
    return this.#handles.get(number);
  }

  /** Takes it out. */
  remove(number: number): T | undefined {
    const handle = this.#handles.get(number);
    this.#handles.delete(number);
    return handle;
  }
}
