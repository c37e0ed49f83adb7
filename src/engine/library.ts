/** Finds the libduckdb that the DuckDB package ships for this platform, so that both APIs share one library. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const FILE_NAMES: Readonly<Record<string, string>> = { linux: 'libduckdb.so', darwin: 'libduckdb.dylib' };

/** Absolute path of libduckdb. Throws a plain Error that names the platform where none is shipped. */
export function libraryPath(platform: string = process.platform, arch: string = process.arch): string {
  const fileName = FILE_NAMES[platform];
  if (fileName === undefined || (arch !== 'x64' && arch !== 'arm64')) throw unsupported(platform, arch);
  const require = createRequire(import.meta.url);
  const api = createRequire(require.resolve('@duckdb/node-api'));
  const bindings = createRequire(api.resolve('@duckdb/node-bindings'));
  for (const suffix of ['', '-musl']) {
    try {
      const manifest = bindings.resolve(`@duckdb/node-bindings-${platform}-${arch}${suffix}/package.json`);
      return join(dirname(manifest), fileName);
    } catch {
      // The other C library's package may be the one installed.
    }
  }
  throw unsupported(platform, arch);
}

function unsupported(platform: string, arch: string): Error {
  return new Error(`DuckDB has no library for ${platform}-${arch}: Sluice runs on Linux and macOS, x64 and arm64`);
}
