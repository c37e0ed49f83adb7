import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { generateDocumentation } from '#src/documentation.js';

test.each(Object.entries(generateDocumentation()))('docs/%s is what `npm run docs` writes', (name, content) => {
  expect(readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')).toBe(content);
});
