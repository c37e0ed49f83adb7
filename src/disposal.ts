/** Closes parts in the reverse order of their start. */
export class DisposalStack {
  readonly #parts: AsyncDisposable[] = [];

  add<T extends AsyncDisposable>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  async dispose(): Promise<void> {
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) await part[Symbol.asyncDispose]();
  }
}
