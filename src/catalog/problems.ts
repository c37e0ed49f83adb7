/** Faults of a policy directory, collected so that all are reported at once: `file:line: text`. */

export interface Position {
  readonly file: string;
  /** From 1; null when the fault has no line. */
  readonly line: number | null;
}

export class Problems {
  readonly #lines: string[] = [];

  add(position: Position, text: string): void {
    const line = `${formatPosition(position)}: ${text}`;
    if (!this.#lines.includes(line)) this.#lines.push(line);
  }

  get list(): readonly string[] {
    return this.#lines;
  }
}

export function formatPosition({ file, line }: Position): string {
  return line === null ? file : `${file}:${line}`;
}
