/** How far DuckDB may run ahead of each stream: much for a few streams, little for many, so that the sum stays bounded. */

/** A scan always gets this much. */
const LEAST = 1024 * 1024;

export interface BufferBudget {
  /** Half of what is left, within the limits, until `release`. */
  take(): { readonly bytes: number; release(): void };
}

export function createBufferBudget(totalBytes: number, mostBytes: number): BufferBudget {
  let left = totalBytes;
  return {
    take: () => {
      const bytes = Math.max(LEAST, Math.min(mostBytes, Math.floor(left / 2)));
      left -= bytes;
      let isHeld = true;
      const release = (): void => {
        if (isHeld) left += bytes;
        isHeld = false;
      };
      return { bytes, release };
    },
  };
}
