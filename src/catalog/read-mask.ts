/** The mask of a rule: a word, or one key with its setting. */
import type { Mask } from '../model.ts';
import type { YamlNode } from './yaml-node.ts';

type Treatment = Mask | { readonly kind: 'hide' };

const WORDS = ['null', 'redact', 'email', 'hash', 'token', 'hide'] as const;
const SETTINGS = ['constant', 'first', 'last', 'date', 'round'] as const;
const DATE_UNITS = ['year', 'quarter', 'month', 'day'] as const;

/** undefined after a problem. */
export function readMask(node: YamlNode): Treatment | undefined {
  // YAML reads a bare `null` as no value; both spellings mean the mask.
  if (node.isNull) return { kind: 'null' };
  if (!node.isMapping) return readWord(node);
  const entries = node.entries();
  const [entry] = entries;
  if (entry === undefined || entries.length > 1) return node.problem('a mask has one setting');
  const [name, value] = entry;
  const kind = SETTINGS.find((each) => each === name);
  return kind === undefined ? value.problem(unknownMask(name)) : readSetting(kind, value);
}

function readWord(node: YamlNode): Treatment | undefined {
  const text = node.text();
  if (text === undefined) return undefined;
  const kind = WORDS.find((word) => word === text);
  return kind === undefined ? node.problem(unknownMask(text)) : { kind };
}

function readSetting(kind: (typeof SETTINGS)[number], value: YamlNode): Treatment | undefined {
  switch (kind) {
    case 'constant': {
      const constant = value.scalar();
      return constant === undefined ? undefined : { kind, value: constant };
    }
    case 'first':
    case 'last': {
      const count = value.count(1);
      return count === undefined ? undefined : { kind, count };
    }
    case 'date': {
      const text = value.text();
      const unit = DATE_UNITS.find((each) => each === text);
      return unit === undefined ? value.problem(`date is one of ${DATE_UNITS.join(', ')}`) : { kind, unit };
    }
    case 'round': {
      const step = value.scalar();
      return typeof step === 'number' && step > 0 ? { kind, step } : value.problem('round must be a number greater than 0');
    }
  }
}

function unknownMask(name: string): string {
  return `unknown mask ${name}; known are ${WORDS.join(', ')}, ${SETTINGS.map((each) => `{${each}: …}`).join(', ')}`;
}
