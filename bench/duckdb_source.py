"""The DuckDB of the yardsticks: the view `lineitem` over local Parquet, or over S3 when BENCH_S3_ENDPOINT (host:port) says where."""
import os

import duckdb


def connect(lineitem, threads):
    database = duckdb.connect(config={"threads": threads})
    endpoint = os.environ.get("BENCH_S3_ENDPOINT")
    if endpoint:
        database.execute(f"LOAD '{os.environ['BENCH_HTTPFS']}'")
        database.execute("SET parquet_metadata_cache = true")
        database.execute(
            f"CREATE SECRET (TYPE s3, ENDPOINT '{endpoint}', URL_STYLE 'path', USE_SSL false, REGION 'us-east-1',"
            f" KEY_ID '{os.environ['BENCH_S3_KEY']}', SECRET '{os.environ['BENCH_S3_SECRET']}')"
        )
    database.execute(f"CREATE VIEW lineitem AS FROM read_parquet('{lineitem}')")
    return database
