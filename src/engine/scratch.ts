/** Working memory of one engine thread: taken piece by piece during a pull, all given back at its end. */
import { type Address, addressOf } from './duckdb-c.ts';

const BLOCK_BYTES = 2 * 1024 * 1024;
/** Blocks that stay for the next pull. */
const KEEP = 8;

export interface ScratchPiece {
  readonly buffer: ArrayBuffer;
  /** A multiple of 8. */
  readonly offset: number;
  readonly address: Address;
}

interface Block {
  readonly buffer: ArrayBuffer;
  readonly address: Address;
}

export class Scratch {
  readonly #blocks: Block[] = [];
  #block = 0;
  #end = 0;

  /** Old bytes lie in it. */
  take(bytes: number): ScratchPiece {
    const length = Math.ceil(bytes / 8) * 8;
    let block = this.#blocks[this.#block];
    if (block !== undefined && this.#end + length > block.buffer.byteLength) {
      block = this.#blocks[++this.#block];
      this.#end = 0;
    }
    if (block === undefined || length > block.buffer.byteLength) block = this.#insert(length);
    const offset = this.#end;
    this.#end += length;
    return { buffer: block.buffer, offset, address: block.address + offset };
  }

  reset(): void {
    this.#block = 0;
    this.#end = 0;
    if (this.#blocks.length > KEEP || this.#blocks.some((block) => block.buffer.byteLength > BLOCK_BYTES)) this.#blocks.length = 0;
  }

  #insert(length: number): Block {
    const buffer = new ArrayBuffer(Math.max(BLOCK_BYTES, length));
    const block = { buffer, address: addressOf(new Uint8Array(buffer)) };
    this.#blocks.splice(this.#block, 0, block);
    this.#end = 0;
    return block;
  }
}
