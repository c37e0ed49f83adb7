import { expect, test } from 'vitest';
import { Problems } from '#src/catalog/problems.js';
import { readPolicy } from '#src/catalog/read-policy.js';

function read(text: string) {
  const problems = new Problems();
  return { ...readPolicy(text, problems), problems: problems.list };
}

test('grants and memberships with their lines', () => {
  const { grants, memberships, positions, problems } = read(
    '# who\r\n\r\np, a , demo.*, select, allow, g1\r\n  # more\np,a,demo.x.y,select,deny,g2\ng, user:ann, a',
  );
  expect(problems).toEqual([]);
  expect(grants).toEqual([
    { id: 'g1', role: 'a', object: 'demo.*', action: 'select', effect: 'allow' },
    { id: 'g2', role: 'a', object: 'demo.x.y', action: 'select', effect: 'deny' },
  ]);
  expect(memberships).toEqual([['user:ann', 'a']]);
  expect(positions.get('g2')?.line).toBe(5);
  expect(positions.get('user:ann a')?.line).toBe(6);
});

test.each([
  ['p, a, demo.*, select, allow', 'write p, role, object, action, effect, id, or the same and a cluster'],
  ['p, a, demo.*, select, allow, g1, west, more', 'write p, role, object, action, effect, id, or the same and a cluster'],
  ['p, a, , select, allow, g1', 'write p, role, object, action, effect, id, or the same and a cluster'],
  ['p, a, demo.*, select, allow, g1,', 'write p, role, object, action, effect, id, or the same and a cluster'],
  ...['Adhoc-*', 'adhoc?', 'a b', 'a.b', '[a]', 'ü', 'x'.repeat(64)].map((name) => [
    `p, a, demo.*, select, deny, g1, ${name}`,
    `${JSON.stringify(name)} is no name of clusters; use lower-case letters, digits, - and * for any characters`,
  ]),
  ['g, a, b, adhoc-*', 'write g, member, role'],
  ['g, a', 'write g, member, role'],
  ['g2, a, b', 'a line begins with p or g; comments begin with #'],
  ['p, "a", demo.*, select, allow, g1', 'quotes and control characters are not allowed'],
  ['p, a\u0000, demo.*, select, allow, g1', 'quotes and control characters are not allowed'],
  ['p, a, demo.*, select, Allow, g1', 'the effect is allow or deny, not Allow'],
  ['p, a, demo.*, select, , g1', 'write p, role, object, action, effect, id, or the same and a cluster'],
  ['p, a, demo.*, select, allow, g 1', '"g 1" is no name; use letters, digits and _ - . @ /'],
])('%s', (line, expected) => {
  expect(read(line)).toMatchObject({ grants: [], memberships: [], problems: [`policy.csv:1: ${expected}`] });
});

test('a grant may be limited to clusters', () => {
  const { grants, problems } = read('p, a, demo.*, select, allow, g1, adhoc-*\np, a, demo.x, select, deny, g2, *');
  expect(problems).toEqual([]);
  expect(grants.map(({ id, cluster }) => [id, cluster])).toEqual([
    ['g1', 'adhoc-*'],
    ['g2', '*'],
  ]);
});

test('repeats', () => {
  const { problems } = read('p, a, demo.*, select, allow, g1\np, b, demo.*, select, deny, g1\ng, user:ann, a\ng, user:ann,a');
  expect(problems).toEqual(['policy.csv:2: grant g1 is there twice, first in line 1', 'policy.csv:4: user:ann is a member of a twice']);
});

test('a cut-off line is a fault, not a smaller policy', () => {
  const line = 'p, a, demo.people.ssn, select, deny, g1';
  for (let length = 1; length < line.lastIndexOf(',') + 1; length++)
    expect(read(line.slice(0, length)).problems, line.slice(0, length)).toHaveLength(1);
});
