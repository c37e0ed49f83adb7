/** Arrow bitmaps: least significant bit first, 1 = valid. */

/** Copies `count` bits; both sides may start at any bit. The target's bits must be zero. */
export function copyBits(target: Uint8Array, targetBit: number, source: Uint8Array, sourceBit: number, count: number): void {
  let done = 0;
  while (done < count) {
    const from = sourceBit + done;
    const to = targetBit + done;
    const room = Math.min(8 - (to & 7), count - done);
    const pair = (source[from >> 3] ?? 0) | ((source[(from >> 3) + 1] ?? 0) << 8);
    const bits = (pair >> (from & 7)) & ((1 << room) - 1);
    target[to >> 3] = (target[to >> 3] ?? 0) | (bits << (to & 7));
    done += room;
  }
}

/** Sets `count` bits. */
export function setBits(target: Uint8Array, start: number, count: number): void {
  let bit = start;
  const end = start + count;
  while (bit < end && (bit & 7) !== 0) setBit(target, bit++);
  if (end - bit >= 8) {
    target.fill(0xff, bit >> 3, end >> 3);
    bit = end & ~7;
  }
  while (bit < end) setBit(target, bit++);
}

export function setBit(target: Uint8Array, bit: number): void {
  target[bit >> 3] = (target[bit >> 3] ?? 0) | (1 << (bit & 7));
}

export function getBit(bits: Uint8Array, bit: number): boolean {
  return ((bits[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
}

const ONES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let rest = byte; rest !== 0; rest >>= 1) ones += rest & 1;
  return ones;
});

/** Ones among all bits of `bits`. */
export function countOnes(bits: Uint8Array): number {
  let ones = 0;
  for (let index = 0; index < bits.length; index++) ones += ONES[bits[index] ?? 0] ?? 0;
  return ones;
}

/** Calls `visit` for each of the first `count` bits that is 0. */
export function forEachZero(bits: Uint8Array, count: number, visit: (bit: number) => void): void {
  for (let byte = 0; byte * 8 < count; byte++) {
    const value = bits[byte] ?? 0;
    if (value === 0xff) continue;
    const end = Math.min(8, count - byte * 8);
    for (let bit = 0; bit < end; bit++) if ((value & (1 << bit)) === 0) visit(byte * 8 + bit);
  }
}
