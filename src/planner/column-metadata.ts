/** Flight SQL's metadata of a column, `type` being DuckDB's text. Keys of FlightSql.proto; booleans are "1" or "0". */
import { Field, type Schema } from 'apache-arrow';
import type { Column, Dataset } from '../model.ts';
import { replaceEnums } from '../sql/index.ts';

/** The dataset column that a result column is. */
export interface Origin {
  readonly catalogName: string;
  readonly dataset: Dataset;
  readonly column: Column;
}

/** Of a result's column; computed ones have no origin. Without remarks: JDBC's driver shows those in place of the column's name. */
export function withMetadata(field: Schema['fields'][number], type: string, origin: Origin | null): Field {
  return new Field(field.name, field.type, field.nullable, new Map([...originEntries(origin), ...typeEntries(type)]));
}

/** Of a table's column. */
export function withRemarks(field: Schema['fields'][number], origin: Origin): Field {
  const described = withMetadata(field, origin.column.type, origin);
  return new Field(described.name, described.type, described.nullable, new Map([...described.metadata, ...remarks(origin)]));
}

type Entries = readonly (readonly [string, string])[];

function originEntries(origin: Origin | null): Entries {
  if (origin === null) return [];
  return [
    ['ARROW:FLIGHT:SQL:CATALOG_NAME', origin.catalogName],
    ['ARROW:FLIGHT:SQL:DB_SCHEMA_NAME', origin.dataset.schema],
    // As Java spells it.
    ['ARROW:FLIGHT:SQL:SCHEMA_NAME', origin.dataset.schema],
    ['ARROW:FLIGHT:SQL:TABLE_NAME', origin.dataset.name],
  ];
}

function typeEntries(type: string): Entries {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
  const digits: Entries =
    decimal === null
      ? []
      : [
          ['ARROW:FLIGHT:SQL:PRECISION', decimal[1] ?? ''],
          ['ARROW:FLIGHT:SQL:SCALE', decimal[2] ?? ''],
        ];
  return [
    // The values of an enum are no part of its name.
    ['ARROW:FLIGHT:SQL:TYPE_NAME', replaceEnums(type, 'ENUM')],
    ...digits,
    ['ARROW:FLIGHT:SQL:IS_CASE_SENSITIVE', /^(?:VARCHAR|ENUM\b|JSON$)/.test(type) ? '1' : '0'],
    ['ARROW:FLIGHT:SQL:IS_READ_ONLY', '1'],
    ['ARROW:FLIGHT:SQL:IS_SEARCHABLE', '1'],
    ['ARROW:FLIGHT:SQL:IS_AUTO_INCREMENT', '0'],
  ];
}

/** The description, then the tags in brackets. */
function remarks({ column: { description = '', tags } }: Origin): Entries {
  const text = [description, tags.length > 0 ? `[${tags.join(', ')}]` : ''].filter((part) => part !== '').join(' ');
  return text === '' ? [] : [['ARROW:FLIGHT:SQL:REMARKS', text]];
}
