/** Preloaded with `--import`: this process's wall clock is `CLOCK_SKEW_MS` ahead of the machine's. Monotonic clocks and timers go on as they are. */
import { env } from 'node:process';

const skewMs = Number(env.CLOCK_SKEW_MS);
const RealDate = globalThis.Date;

globalThis.Date = class SkewedDate extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + skewMs);
    else super(...args);
  }

  static now() {
    return RealDate.now() + skewMs;
  }
};
