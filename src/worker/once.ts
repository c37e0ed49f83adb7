/** Commands run at most once per query: a ticket that is redeemed again gets the first answer, good or bad. */
import { fail } from '../errors.ts';

/** Answers remembered until their tickets expire. */
const REMEMBERED_MAX = 10_000;

export interface Once<T> {
  /** Fails with limit.busy when too many answers are remembered. */
  run(query: { readonly queryId: string; readonly expiresAtMs: number }, start: () => Promise<T>): Promise<T>;
}

export function createOnce<T>(now: () => number): Once<T> {
  const answers = new Map<string, { readonly answer: Promise<T>; readonly expiresAtMs: number }>();
  const forgetExpired = (): void => {
    const nowMs = now();
    for (const [id, { expiresAtMs }] of answers) if (expiresAtMs <= nowMs) answers.delete(id);
  };
  return {
    run: ({ queryId, expiresAtMs }, start) => {
      const known = answers.get(queryId);
      if (known !== undefined) return known.answer;
      if (answers.size >= REMEMBERED_MAX) forgetExpired();
      if (answers.size >= REMEMBERED_MAX) fail('limit.busy', 'too many commands ran in a short time; try again later');
      const answer = start();
      answers.set(queryId, { answer, expiresAtMs });
      return answer;
    },
  };
}
