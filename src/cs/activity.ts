/** Counts operations under way, for those who must wait until there are none. */
export class Activity {
  #count = 0;
  #onQuiet: (() => void)[] = [];

  get isQuiet(): boolean {
    return this.#count === 0;
  }

  async run<T>(act: () => Promise<T>): Promise<T> {
    this.#count++;
    try {
      return await act();
    } finally {
      this.#count--;
      if (this.isQuiet) for (const tell of this.#onQuiet.splice(0)) tell();
    }
  }

  /** Resolves when nothing is under way. */
  quiet(): Promise<void> {
    if (this.isQuiet) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet.push(resolve));
  }
}
