/** Waiting for what must happen, on whatever machine: only a failure takes so long. For `vi.waitFor`; `expect.poll` has it from vitest.config.ts. */
export const PATIENCE: { readonly timeout: number; readonly interval: number } = { timeout: 60_000, interval: 50 };

/** CPU milliseconds that this process spends on `work`: unlike the time on the clock, they are not those of other processes. */
export async function cpuMsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
