/** Arrow tables as plain rows, so that answers of different clients can be compared with `toEqual`. */
import { DataType, type Table, type Timestamp, TimeUnit } from 'apache-arrow';

/**
 * Integers within 2^53 become numbers, larger ones strings; decimals strings; dates `YYYY-MM-DD`; timestamps ISO text (UTC, milliseconds);
 * binary hex; lists arrays; structs objects; NULL null.
 */
export function plainRows(table: Table): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = Array.from({ length: table.numRows }, () => ({}));
  for (const [index, field] of table.schema.fields.entries()) {
    const column = table.getChildAt(index);
    for (let row = 0; row < rows.length; row++) {
      const target = rows[row];
      if (target !== undefined) target[field.name] = plainValue(column?.get(row), field.type);
    }
  }
  return rows;
}

function plainValue(value: unknown, type: DataType): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (DataType.isDecimal(type)) return decimalText(value, type.scale);
  if (DataType.isDate(type)) return new Date(Number(value)).toISOString().slice(0, 10);
  if (DataType.isTimestamp(type)) return timestampText(value, type);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (DataType.isList(type) || DataType.isFixedSizeList(type))
    return [...(value as Iterable<unknown>)].map((item) => plainValue(item, type.children[0]?.type ?? type));
  if (DataType.isStruct(type)) {
    const struct = value as Record<string, unknown>;
    return Object.fromEntries(type.children.map((child) => [child.name, plainValue(struct[child.name], child.type)]));
  }
  return typeof value === 'object' ? String(value) : value;
}

function decimalText(value: unknown, scale: number): string {
  const digits = String(value);
  const sign = digits.startsWith('-') ? '-' : '';
  if (scale === 0) return digits;
  const whole = digits.slice(sign.length).padStart(scale + 1, '0');
  return `${sign}${whole.slice(0, -scale)}.${whole.slice(-scale)}`;
}

/** apache-arrow gives milliseconds for every unit. */
function timestampText(value: unknown, type: Timestamp): string {
  const text = new Date(Number(value)).toISOString();
  return type.unit === TimeUnit.SECOND ? text.replace('.000', '') : text;
}
