/**
 * What has been done so far of something that shall be done whole or not at all. When a step fails, what was done
 * before is taken back, latest first.
 */
export class Undo {
  readonly #steps: (() => Promise<void>)[] = [];

  /** Called after a step was done. */
  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Runs `work`; if it throws, takes back what it did and throws that. */
  static async around<T>(work: (undo: Undo) => Promise<T>): Promise<T> {
    const undo = new Undo();
    try {
      return await work(undo);
    } catch (error) {
      await undo.#run();
      throw error;
    }
  }

  async #run(): Promise<void> {
    for (const step of this.#steps.reverse()) {
      // A step that cannot be taken back leaves something behind; why the whole failed is the better message.
      await step().catch(() => undefined);
    }
  }
}
