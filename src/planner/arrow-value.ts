/** One cell of an Arrow table as a plain value, exact to the last digit. Nothing here comes from this server: every type a client may send is met. */
import { type Data, DataType, DateUnit, IntervalUnit, type TimeUnit, Vector } from 'apache-arrow';
import { UnreadableValue, type Value } from '../sql/index.ts';

const NULL: Value = { kind: 'null' };

/** How much more may be read: a few bytes can stand for any number of nested NULLs, or for one long text many times over. */
export interface ValueBudget {
  values: number;
  /** Of texts as characters. */
  bytes: number;
}

const TOO_MUCH = 'too much was bound; send fewer rows at a time';

/** Throws UnreadableValue. `data` comes from an IPC stream, so that nothing in it is sliced. */
export function readValue(data: Data, row: number, budget: ValueBudget): Value {
  const { type } = data;
  if (--budget.values < 0) throw new UnreadableValue(TOO_MUCH);
  if (DataType.isNull(type)) return NULL;
  if (DataType.isUnion(type)) return readUnion(data, row, budget);
  if (!data.getValid(row)) return NULL;
  if (DataType.isDictionary(type)) return readDictionary(data, row, budget);
  if (DataType.isList(type) || DataType.isLargeList(type))
    return readList(data, Number(at(data.valueOffsets, row)), Number(at(data.valueOffsets, row + 1)), budget);
  if (DataType.isFixedSizeList(type)) return readList(data, row * type.listSize, (row + 1) * type.listSize, budget);
  if (DataType.isStruct(type)) return readStruct(data, row, budget);
  return readTime(data, row) ?? readPlain(data, row, budget);
}

function readPlain(data: Data, row: number, budget: ValueBudget): Value {
  const { type } = data;
  if (DataType.isInt(type))
    return { kind: 'number', text: String(at(data.values, row)), type: `${type.isSigned ? '' : 'U'}${INTEGERS[type.bitWidth]}` };
  if (DataType.isDecimal(type)) return readDecimal(data, row, type.precision, type.scale, type.bitWidth);
  const value: unknown = new Vector([data]).get(row);
  if (DataType.isFloat(type) && typeof value === 'number') return readFloat(value);
  if (typeof value === 'boolean') return { kind: 'boolean', value };
  if (typeof value === 'string' || value instanceof Uint8Array) budget.bytes -= value.length;
  if (budget.bytes < 0) throw new UnreadableValue(TOO_MUCH);
  if (typeof value === 'string') return { kind: 'text', text: value };
  if (value instanceof Uint8Array) return { kind: 'bytes', bytes: value };
  throw new UnreadableValue(`values of the Arrow type ${type} can not be bound`);
}

const INTEGERS: Readonly<Record<number, string>> = { 8: 'TINYINT', 16: 'SMALLINT', 32: 'INTEGER', 64: 'BIGINT' };

function readFloat(value: number): Value {
  if (Number.isFinite(value)) return { kind: 'number', text: value.toExponential(), type: 'DOUBLE' };
  return { kind: 'written', text: Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity', type: 'DOUBLE' };
}

function readDecimal(data: Data, row: number, precision: number, scale: number, bits: number): Value {
  if (precision > 38 || scale < 0 || scale > precision)
    throw new UnreadableValue('decimals of more than 38 digits or a negative scale can not be bound');
  const words = data.values as Uint32Array;
  const width = bits / 32;
  let unscaled = 0n;
  for (let i = width - 1; i >= 0; i--) unscaled = (unscaled << 32n) | BigInt((words[row * width + i] ?? 0) >>> 0);
  unscaled = BigInt.asIntN(bits, unscaled);
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  if (digits.length > 38) throw new UnreadableValue('decimals of more than 38 digits can not be bound');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return { kind: 'number', text: `${unscaled < 0n ? '-' : ''}${text}`, type: `DECIMAL(${precision},${scale})` };
}

function readUnion(data: Data, row: number, budget: ValueBudget): Value {
  const { type } = data;
  if (!DataType.isUnion(type)) throw new UnreadableValue('not a union');
  const index = type.typeIdToChildIndex[Number(at(data.typeIds, row))];
  const child = index === undefined ? undefined : data.children[index];
  if (child === undefined) throw new UnreadableValue('a union names a member that it does not have');
  return readValue(child, DataType.isDenseUnion(type) ? Number(at(data.valueOffsets, row)) : row, budget);
}

function readDictionary(data: Data, row: number, budget: ValueBudget): Value {
  let index = Number(at(data.values, row));
  for (const chunk of data.dictionary?.data ?? []) {
    if (index < chunk.length) return readValue(chunk, index, budget);
    index -= chunk.length;
  }
  throw new UnreadableValue('a dictionary has no value for an index');
}

function readList(data: Data, from: number, to: number, budget: ValueBudget): Value {
  const [child] = data.children;
  if (child === undefined || from < 0 || to > child.length) throw new UnreadableValue('a list is longer than its values');
  if (to - from > budget.values) throw new UnreadableValue(TOO_MUCH);
  return { kind: 'list', items: Array.from({ length: Math.max(0, to - from) }, (_, i) => readValue(child, from + i, budget)) };
}

function readStruct(data: Data, row: number, budget: ValueBudget): Value {
  const { type } = data;
  const fields = DataType.isStruct(type) ? type.children : [];
  return {
    kind: 'struct',
    members: fields.map(({ name }, i) => {
      const child = data.children[i];
      if (child === undefined) throw new UnreadableValue('a struct lacks a member');
      return [name, readValue(child, row, budget)] as const;
    }),
  };
}

/** Dates, times and intervals; undefined for all else. */
function readTime(data: Data, row: number): Value | undefined {
  const { type } = data;
  if (DataType.isDate(type)) {
    const value = BigInt(at(data.values, row));
    return written(day(type.unit === DateUnit.DAY ? value : value / 86_400_000n), 'DATE');
  }
  if (DataType.isTimestamp(type)) return readTimestamp(BigInt(at(data.values, row)), type.unit, type.timezone);
  if (DataType.isTime(type)) return readClock(BigInt(at(data.values, row)), type.unit);
  if (DataType.isDuration(type)) return written(`${nanos(BigInt(at(data.values, row)), type.unit) / 1000n} microseconds`, 'INTERVAL');
  return DataType.isInterval(type) ? readInterval(data.values as Int32Array, row, type.unit) : undefined;
}

function readTimestamp(value: bigint, unit: TimeUnit, timezone: string | null | undefined): Value {
  const total = nanos(value, unit);
  const days = floorDivide(total, DAY_NANOS);
  const rest = total - days * DAY_NANOS;
  const text = `${day(days)} ${clock(rest)}`;
  if (timezone !== null && timezone !== undefined && timezone !== '') return written(`${text}+00`, 'TIMESTAMP WITH TIME ZONE');
  return written(text, rest % 1000n === 0n ? 'TIMESTAMP' : 'TIMESTAMP_NS');
}

function readClock(value: bigint, unit: TimeUnit): Value {
  const total = nanos(value, unit);
  if (total < 0n || total > DAY_NANOS) throw new UnreadableValue('a time lies outside of a day');
  return written(clock(total), total % 1000n === 0n ? 'TIME' : 'TIME_NS');
}

function readInterval(values: Int32Array, row: number, unit: IntervalUnit): Value {
  const word = (width: number, i: number): number => values[row * width + i] ?? 0;
  if (unit === IntervalUnit.YEAR_MONTH) return written(`${word(1, 0)} months`, 'INTERVAL');
  if (unit === IntervalUnit.DAY_TIME) return written(`${word(2, 0)} days ${word(2, 1)} milliseconds`, 'INTERVAL');
  const total = (BigInt(word(4, 3)) << 32n) | BigInt(word(4, 2) >>> 0);
  return written(`${word(4, 0)} months ${word(4, 1)} days ${total / 1000n} microseconds`, 'INTERVAL');
}

const DAY_NANOS = 86_400_000_000_000n;
/** By TimeUnit. */
const UNIT_NANOS: readonly bigint[] = [1_000_000_000n, 1_000_000n, 1_000n, 1n];

function nanos(value: bigint, unit: TimeUnit): bigint {
  return value * (UNIT_NANOS[unit] ?? 1n);
}

function floorDivide(value: bigint, by: bigint): bigint {
  return value / by - (value < 0n && value % by !== 0n ? 1n : 0n);
}

/** Days since 1970 as `YYYY-MM-DD`. */
function day(days: bigint): string {
  if (days < -719_162n || days > 2_932_896n) throw new UnreadableValue('a date lies outside of the years 1 to 9999');
  return new Date(Number(days) * 86_400_000).toISOString().slice(0, 10);
}

/** Nanoseconds since midnight as `HH:MM:SS`, with a fraction where there is one. */
function clock(total: bigint): string {
  const two = (value: bigint): string => value.toString().padStart(2, '0');
  const seconds = total / 1_000_000_000n;
  const fraction = (total % 1_000_000_000n)
    .toString()
    .padStart(9, '0')
    .replace(/(?:000)+$/, '');
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fraction === '' ? '' : `.${fraction}`}`;
}

function written(text: string, type: string): Value {
  return { kind: 'written', text, type };
}

function at(values: ArrayLike<number | bigint> | undefined, index: number): number | bigint {
  const value = values?.[index];
  if (value === undefined) throw new UnreadableValue('a batch is shorter than it says');
  return value;
}
