/** Columns that take little memory: all texts in one string, all numbers in one array. */

/** Texts one after the other and the length of each in UTF-16 units; -1 = null. */
export interface PackedTexts {
  readonly text: string;
  readonly lengths: readonly number[];
}

const NULL_LENGTH = -1;

export function packTexts(texts: readonly (string | null)[]): PackedTexts {
  return { text: texts.join(''), lengths: texts.map((text) => text?.length ?? NULL_LENGTH) };
}

export class TextColumn {
  readonly length: number;
  readonly #text: string;
  /** Where each begins, and the end of the last. */
  readonly #starts: Uint32Array;
  readonly #nulls: Uint8Array;

  /** Throws when the lengths are not those of the text. */
  constructor({ text, lengths }: PackedTexts) {
    this.length = lengths.length;
    this.#text = text;
    this.#starts = new Uint32Array(lengths.length + 1);
    this.#nulls = new Uint8Array(lengths.length);
    let next = 0;
    for (const [at, length] of lengths.entries()) {
      if (!Number.isSafeInteger(length) || length < NULL_LENGTH) throw new Error('a text has no length');
      this.#starts[at] = next;
      if (length === NULL_LENGTH) this.#nulls[at] = 1;
      else next += length;
    }
    this.#starts[lengths.length] = next;
    if (next !== text.length) throw new Error('its texts do not fit their lengths');
  }

  get bytes(): number {
    return this.#text.length + this.#starts.byteLength + this.#nulls.byteLength;
  }

  at(index: number): string | null {
    if (this.#nulls[index] !== 0) return null;
    return this.#text.slice(this.#starts[index], this.#starts[index + 1]);
  }
}

/** Whole numbers up to 2^53. */
export class CountColumn {
  readonly #values: Float64Array;

  /** Throws on anything else. */
  constructor(values: readonly number[]) {
    if (!values.every(Number.isSafeInteger)) throw new Error('it holds something else than whole numbers');
    this.#values = Float64Array.from(values);
  }

  get length(): number {
    return this.#values.length;
  }

  get bytes(): number {
    return this.#values.byteLength;
  }

  at(index: number): number {
    return this.#values[index] ?? 0;
  }
}
