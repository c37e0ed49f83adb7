/** Properties try the same values in every run, so that no run fails by chance. FUZZ_SEED=n tries others. */
export const SEED: number = Number(process.env['FUZZ_SEED'] ?? 20_260);
