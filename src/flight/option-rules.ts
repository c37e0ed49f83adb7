/** Which options a session may hold, and what a caller is told of them. */
import { foldName } from '../names.ts';
import type { VisibleCatalog } from '../planner/index.ts';
import type { OptionFault, OptionValue } from '../wire/index.ts';
import { batchBytesOf, OPTION_CHOICES } from './result-options.ts';

export interface OptionRules {
  /** The text that the session keeps, or what is wrong. null asks only whether there is such an option. */
  accept(name: string, value: OptionValue, catalog: VisibleCatalog): { readonly kept: string } | OptionFault;
  /** What GetSessionOptions tells of the options that are kept. */
  tell(kept: Readonly<Record<string, string>>, catalog: VisibleCatalog): Readonly<Record<string, OptionValue>>;
}

const NAMES: ReadonlySet<string> = new Set(['catalog', 'schema', 'batch_bytes', ...Object.keys(OPTION_CHOICES)]);
/** Longer values are none of ours. */
const VALUE_CHARACTERS_MAX = 1024;

export const SLUICE_OPTIONS: OptionRules = {
  accept: (name, value, catalog) => {
    if (!NAMES.has(name)) return 'invalidName';
    const kept = value === null ? '' : acceptedValue(name, value, catalog);
    return kept === undefined ? 'invalidValue' : { kept };
  },
  tell: (kept, { catalogName, defaultSchema }) => ({
    catalog: catalogName,
    ...(defaultSchema === undefined ? {} : { schema: defaultSchema }),
    ...kept,
  }),
};

/** The value as it is kept; undefined when it can not be. A hidden schema is like a missing one. */
function acceptedValue(name: string, value: OptionValue, catalog: VisibleCatalog): string | undefined {
  if (name === 'batch_bytes') return batchBytesOf(String(value))?.toString();
  if (typeof value !== 'string' || value.length > VALUE_CHARACTERS_MAX) return undefined;
  if (name === 'catalog') return sameName(value, catalog.catalogName) ? catalog.catalogName : undefined;
  if (name === 'schema') return catalog.tables.find((table) => sameName(value, table.schema))?.schema;
  return OPTION_CHOICES[name]?.find((choice) => choice === value);
}

function sameName(a: string, b: string): boolean {
  return foldName(a) === foldName(b);
}
