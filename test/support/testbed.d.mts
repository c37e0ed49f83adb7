/** Types of testbed.mjs, which is plain JavaScript because it runs before anything is built. */
export declare const TESTBED: string;
export declare const PYTHON: string;
export declare const GIZMO_PYTHON: string;
export declare const JDBC_CLASSPATH: string;
export declare const SPARK_CLASSPATH: string;
export declare const DERBY_CLASSPATH: string;
export declare const SCENARIO_CLIENT_BINARY: string;
export declare const S3_SERVER_BINARY: string;
export declare const HADOLINT: string;
export declare const KUBERNETES_VALIDATE: string;
export declare const KUBE_SCORE: string;
export declare const DCLINT: string;
/** Holds `httpfs.duckdb_extension`; the value of SLUICE_EXTENSIONS in tests. */
export declare const HTTPFS_DIRECTORY: string;
export declare function ensureTestbed(groups?: readonly ('clients' | 'fleet' | 'bench')[]): Promise<void>;
export declare function extensionPath(name: 'tpch' | 'tpcds'): string;
