/** Runs Sluice's own statements in a throwaway instance that may read and write files: demo data only. */
import { DuckDBInstance } from '@duckdb/node-api';

/** Never with text that a user wrote. Rejects with DuckDB's error. */
export async function runTrustedScript(statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    try {
      for (const statement of statements) await connection.run(statement);
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}
