/** GetSqlInfo: every standard code with the union child that drivers cast to. No custom codes: some drivers fail on them. */
import {
  type Data,
  type DataType,
  Field,
  Int32,
  List,
  makeData,
  type RecordBatch,
  Struct,
  Uint32,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import type { IpcMessages } from '../wire/index.ts';
import { batchesToIpc, recordBatch } from './arrow-rows.ts';
import { SQL_INFO, SQL_INFO_MAP, SQL_INFO_VALUE } from './metadata-schemas.ts';

export type InfoValue =
  | { readonly child: 'text'; readonly value: string }
  | { readonly child: 'bool'; readonly value: boolean }
  | { readonly child: 'bigint'; readonly value: bigint }
  | { readonly child: 'bitmask'; readonly value: number }
  | { readonly child: 'list'; readonly value: readonly string[] }
  /** Type → types it converts to; none is declared. */
  | { readonly child: 'map' };

const CHILDREN = ['text', 'bool', 'bigint', 'bitmask', 'list', 'map'] as const;

const ARROW_VERSION = '21.2.0';
/** SqlSupportedCaseSensitivity: names match in any case. */
const CASE_INSENSITIVE = 1n;
/** SqlNullOrdering. */
const NULLS_AT_END = 3n;

const NUMERIC_FUNCTIONS: readonly string[] = ['ABS', 'CEILING', 'EXP', 'FLOOR', 'LOG', 'MOD', 'POWER', 'ROUND', 'SIGN', 'SQRT'];
const TEXT_FUNCTIONS: readonly string[] = ['CONCAT', 'LENGTH', 'LOWER', 'LTRIM', 'REPLACE', 'RTRIM', 'SUBSTRING', 'TRIM', 'UPPER'];
const TIME_FUNCTIONS: readonly string[] = ['CURRENT_DATE', 'DATE_DIFF', 'DATE_PART', 'DATE_TRUNC', 'EXTRACT', 'MONTH', 'YEAR'];

export interface ServerFacts {
  /** Of Sluice. */
  readonly version: string;
  /** How long a prepared handle is good, milliseconds; 0 = not known. */
  readonly preparedTtlMs: number;
  /** Longest statement; 0 = not known. */
  readonly statementBytesMax: number;
}

/** The values of one server, by code. */
export function sqlInfoValues(facts: ServerFacts): ReadonlyMap<number, InfoValue> {
  return new Map<number, InfoValue>([...serverValues(facts), ...flags(), ...limits(facts), ...bitmasks(), ...texts()]);
}

/** Empty `codes` asks for all; unknown ones are left out. */
export function sqlInfo(values: ReadonlyMap<number, InfoValue>, codes: readonly number[]): IpcMessages {
  const wanted = codes.length === 0 ? [...values.keys()] : [...new Set(codes)].filter((code) => values.has(code));
  if (wanted.length === 0) return batchesToIpc(SQL_INFO, []);
  return batchesToIpc(SQL_INFO, [
    encode(
      wanted.sort((a, b) => a - b),
      values,
    ),
  ]);
}

function* serverValues({ version, preparedTtlMs }: ServerFacts): Iterable<[number, InfoValue]> {
  yield [0, { child: 'text', value: 'Sluice' }];
  yield [1, { child: 'text', value: version }];
  yield [2, { child: 'text', value: ARROW_VERSION }];
  yield [6, { child: 'text', value: '' }];
  yield [7, { child: 'text', value: '' }];
  // No transactions: any other value would make clients begin them.
  for (const code of [8, 101]) yield [code, { child: 'bitmask', value: 0 }];
  yield [100, { child: 'bitmask', value: Math.min(preparedTtlMs, 2 ** 31 - 1) }];
}

function* flags(): Iterable<[number, InfoValue]> {
  // Not read-only (3), tables can be made (502) and filled (10): in the scratch schema. Every table listed can be read (506).
  const yes = new Set([4, 9, 10, 502, 506, 515, 516, 518, 520, 521, 523, 524, 532, 539]);
  const no = [3, 5, 11, 500, 501, 519, 527, 536, 537, 556, 563, 565, 566, 572, 573, 574, 575, 576];
  for (const code of [...yes, ...no]) yield [code, { child: 'bool', value: yes.has(code) }];
}

function* limits({ statementBytesMax }: ServerFacts): Iterable<[number, InfoValue]> {
  yield [503, { child: 'bigint', value: CASE_INSENSITIVE }];
  yield [505, { child: 'bigint', value: CASE_INSENSITIVE }];
  yield [507, { child: 'bigint', value: NULLS_AT_END }];
  yield [562, { child: 'bigint', value: 0n }];
  // 0 = no limit known.
  for (let code = 541; code <= 561; code++) if (code !== 556 && code !== 557) yield [code, { child: 'bigint', value: 0n }];
  yield [557, { child: 'bigint', value: BigInt(statementBytesMax) }];
}

function* bitmasks(): Iterable<[number, InfoValue]> {
  const set: readonly (readonly [number, number])[] = [
    [522, 0b11], // GROUP BY: unrelated columns, beyond SELECT
    [525, 0b11], // grammar: minimum, core
    [526, 0b1], // ANSI 92 entry level
    [528, 0b110], // outer joins: limited, full
    [538, 0b1111], // subqueries: comparisons, EXISTS, IN, quantified
    [540, 0b11], // UNION, UNION ALL
    [564, 0b1], // isolation: none
    [567, 0b10], // result sets: forward only
    [569, 0b10], // forward only: read only
  ];
  for (const [code, value] of set) yield [code, { child: 'bitmask', value }];
  for (const code of [533, 534, 535, 568, 570, 571]) yield [code, { child: 'bitmask', value: 0 }];
}

function* texts(): Iterable<[number, InfoValue]> {
  yield [504, { child: 'text', value: '"' }];
  yield [513, { child: 'text', value: '\\' }];
  yield [514, { child: 'text', value: '' }];
  yield [529, { child: 'text', value: 'schema' }];
  yield [530, { child: 'text', value: 'procedure' }];
  yield [531, { child: 'text', value: 'catalog' }];
  yield [508, { child: 'list', value: ['ANTI', 'ASOF', 'EXCLUDE', 'ILIKE', 'PIVOT', 'QUALIFY', 'SEMI', 'UNPIVOT'] }];
  yield [509, { child: 'list', value: NUMERIC_FUNCTIONS }];
  yield [510, { child: 'list', value: TEXT_FUNCTIONS }];
  yield [511, { child: 'list', value: ['COALESCE', 'IFNULL', 'NULLIF'] }];
  yield [512, { child: 'list', value: TIME_FUNCTIONS }];
  yield [517, { child: 'map' }];
}

function encode(codes: readonly number[], values: ReadonlyMap<number, InfoValue>): RecordBatch {
  const chosen = codes.flatMap((code) => values.get(code) ?? []);
  const counts = CHILDREN.map(() => 0);
  const typeIds = Int8Array.from(chosen, (info) => CHILDREN.indexOf(info.child));
  const valueOffsets = Int32Array.from(typeIds, (id) => {
    const offset = counts[id] ?? 0;
    counts[id] = offset + 1;
    return offset;
  });
  const children = CHILDREN.map((child, id) =>
    childData(
      chosen.filter((info) => info.child === child),
      id,
    ),
  );
  const union = makeData({ type: SQL_INFO_VALUE, length: chosen.length, typeIds, valueOffsets, children });
  const [names = makeData({ type: new Uint32() })] = vectorFromArray(codes, new Uint32()).data;
  return recordBatch(SQL_INFO, codes.length, [names, union]);
}

function childData(infos: readonly InfoValue[], id: number): Data {
  if (CHILDREN[id] === 'map') return mapsWithoutEntries(infos.length);
  const type = SQL_INFO_VALUE.children[id]?.type ?? new Utf8();
  const cells = infos.map((info) => (info.child === 'map' ? null : info.value));
  const [data = makeData({ type: new Utf8() })] = vectorFromArray(cells, type).data;
  return data;
}

/** Built down to the leaves: apache-arrow leaves missing children out of the message. */
function mapsWithoutEntries(length: number): Data {
  const noItems = makeData({ type: new Int32() });
  const noLists = makeData({
    type: new List(new Field('item', new Int32())),
    length: 0,
    nullCount: 0,
    valueOffsets: new Int32Array(1),
    child: noItems,
  });
  const entries = new Struct<{ key: DataType; value: DataType }>(SQL_INFO_MAP.childType.children);
  const child = makeData({ type: entries, length: 0, nullCount: 0, children: [makeData({ type: new Int32() }), noLists] });
  return makeData({ type: SQL_INFO_MAP, length, nullCount: 0, valueOffsets: new Int32Array(length + 1), child });
}
