/** Commands run at most once per query: a ticket that is redeemed again gets the first answer, good or bad. */
import { fail } from '../errors.ts';

/** Answers remembered until their tickets expire; nobody's commands take the room of all others. */
const REMEMBERED_MAX = 100_000;
const REMEMBERED_PER_PRINCIPAL = 10_000;

interface OnceQuery {
  readonly queryId: string;
  readonly subject: string;
  readonly expiresAtMs: number;
}

export interface Once<T> {
  /** Fails with limit.busy when too many answers are remembered. */
  run(query: OnceQuery, start: () => Promise<T>): Promise<T>;
}

export function createOnce<T>(now: () => number): Once<T> {
  const answers = new Map<string, { readonly answer: Promise<T>; readonly subject: string; readonly expiresAtMs: number }>();
  const counts = new Map<string, number>();
  /** When the first answer expires: before, there is nothing to forget. */
  let firstMs = Number.POSITIVE_INFINITY;
  const forgetExpired = (): void => {
    const nowMs = now();
    if (nowMs < firstMs) return;
    firstMs = Number.POSITIVE_INFINITY;
    for (const [id, { subject, expiresAtMs }] of answers) {
      if (expiresAtMs > nowMs) {
        firstMs = Math.min(firstMs, expiresAtMs);
        continue;
      }
      answers.delete(id);
      const left = (counts.get(subject) ?? 0) - 1;
      if (left > 0) counts.set(subject, left);
      else counts.delete(subject);
    }
  };
  const isFull = (subject: string): boolean => answers.size >= REMEMBERED_MAX || (counts.get(subject) ?? 0) >= REMEMBERED_PER_PRINCIPAL;
  return {
    run: ({ queryId, subject, expiresAtMs }, start) => {
      const known = answers.get(queryId);
      if (known !== undefined) return known.answer;
      if (isFull(subject)) forgetExpired();
      if (isFull(subject)) fail('limit.busy', 'too many commands ran in a short time; try again later');
      const answer = start();
      answers.set(queryId, { answer, subject, expiresAtMs });
      firstMs = Math.min(firstMs, expiresAtMs);
      counts.set(subject, (counts.get(subject) ?? 0) + 1);
      return answer;
    },
  };
}
