/** Flight SQL's metadata of a column: on the schemas of tables and of results alike. */
import { Field, type Schema } from 'apache-arrow';
import type { Column, Dataset } from '../model.ts';

/** The dataset column that a result column is. */
export interface Origin {
  readonly catalogName: string;
  readonly dataset: Dataset;
  readonly column: Column;
}

/** `type`: DuckDB text. Keys of FlightSql.proto; booleans are "1" or "0". Computed columns have no origin. */
export function withMetadata(field: Schema['fields'][number], type: string, origin: Origin | null): Field {
  return new Field(field.name, field.type, field.nullable, new Map([...originEntries(origin), ...typeEntries(type), ...remarks(origin)]));
}

type Entries = readonly (readonly [string, string])[];

function originEntries(origin: Origin | null): Entries {
  if (origin === null) return [];
  return [
    ['ARROW:FLIGHT:SQL:CATALOG_NAME', origin.catalogName],
    ['ARROW:FLIGHT:SQL:DB_SCHEMA_NAME', origin.dataset.schema],
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
    ['ARROW:FLIGHT:SQL:TYPE_NAME', type.replace(/^ENUM\(.*\)$/s, 'ENUM')],
    ...digits,
    ['ARROW:FLIGHT:SQL:IS_CASE_SENSITIVE', /^(?:VARCHAR|ENUM\b|JSON$)/.test(type) ? '1' : '0'],
    ['ARROW:FLIGHT:SQL:IS_READ_ONLY', '1'],
    ['ARROW:FLIGHT:SQL:IS_SEARCHABLE', '1'],
    ['ARROW:FLIGHT:SQL:IS_AUTO_INCREMENT', '0'],
  ];
}

/** The description, then the tags in brackets. */
function remarks(origin: Origin | null): Entries {
  const { description = '', tags = [] } = origin?.column ?? {};
  const text = [description, tags.length > 0 ? `[${tags.join(', ')}]` : ''].filter((part) => part !== '').join(' ');
  return text === '' ? [] : [['ARROW:FLIGHT:SQL:REMARKS', text]];
}
