import { describe, expect, test } from 'vitest';
import { createBindings } from '#src/flight/bindings.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('the last binding', () => {
  test('belongs to a handle and its principal', () => {
    const bindings = createBindings(() => 0);
    bindings.remember('ada', bytes('h'), bytes('one'));
    bindings.remember('ada', bytes('h'), bytes('two'));
    expect(bindings.latest('ada', bytes('h'))).toEqual(bytes('two'));
    expect(bindings.latest('eve', bytes('h'))).toEqual(bytes('h'));
    expect(bindings.latest('ada', bytes('other'))).toEqual(bytes('other'));
    // Neither side of the pair may run into the other.
    expect(bindings.latest('adah', bytes(''))).toEqual(bytes(''));
    bindings.forget('ada', bytes('h'));
    expect(bindings.latest('ada', bytes('h'))).toEqual(bytes('h'));
  });

  test('is forgotten after its time', () => {
    let now = 0;
    const bindings = createBindings(() => now, { entries: 10, bytes: 100, ttlMs: 50 });
    bindings.remember('ada', bytes('h'), bytes('one'));
    now = 49;
    expect(bindings.latest('ada', bytes('h'))).toEqual(bytes('one'));
    now = 50;
    expect(bindings.latest('ada', bytes('h'))).toEqual(bytes('h'));
  });

  test('goes first when it was used least recently, by number and by size', () => {
    const few = createBindings(() => 0, { entries: 2, bytes: 100, ttlMs: 50 });
    for (const name of ['a', 'b']) few.remember('ada', bytes(name), bytes('x'));
    few.latest('ada', bytes('a'));
    few.remember('ada', bytes('c'), bytes('x'));
    expect(['a', 'b', 'c'].map((name) => Buffer.from(few.latest('ada', bytes(name))).toString())).toEqual(['x', 'b', 'x']);

    const small = createBindings(() => 0, { entries: 100, bytes: 10, ttlMs: 50 });
    small.remember('ada', bytes('a'), Buffer.alloc(6));
    small.remember('ada', bytes('a'), Buffer.alloc(4));
    small.remember('ada', bytes('b'), Buffer.alloc(6));
    expect(small.latest('ada', bytes('a'))).toHaveLength(4);
    small.remember('ada', bytes('c'), Buffer.alloc(11));
    for (const name of ['a', 'b', 'c']) expect(small.latest('ada', bytes(name))).toEqual(bytes(name));
  });
});
