"""Makes the bench data once: usage data.py TPCH_EXTENSION SCALE LINEITEM.parquet BATCHES.arrows PARTS_DIRECTORY.

PARTS_DIRECTORY gets the same rows in the same order as PARTS files, for the scans of S3.
"""
import os
import sys

import duckdb
import pyarrow

ROWS_PER_BATCH = 16384  # 2.8 MB: under the 4 MB that gRPC clients accept by default
PARTS = 24

extension, scale, lineitem, batches, parts = sys.argv[1:]
if not os.path.exists(lineitem):
    database = duckdb.connect()
    database.execute(f"LOAD '{extension}'")
    database.execute(f"CALL dbgen(sf = {float(scale)})")
    database.execute(f"COPY lineitem TO '{lineitem}.draft' (FORMAT parquet)")
    os.rename(f"{lineitem}.draft", lineitem)
if not os.path.exists(batches):
    reader = duckdb.connect().execute(f"FROM read_parquet('{lineitem}')").to_arrow_reader(ROWS_PER_BATCH)
    with pyarrow.OSFile(f"{batches}.draft", "wb") as file, pyarrow.ipc.new_stream(file, reader.schema) as stream:
        for batch in reader:
            stream.write_batch(batch)
    os.rename(f"{batches}.draft", batches)
if not os.path.exists(parts):
    os.makedirs(f"{parts}.draft", exist_ok=True)
    database = duckdb.connect()
    (rows,) = database.execute(f"SELECT count(*) FROM read_parquet('{lineitem}')").fetchone()
    for part in range(PARTS):
        share = f"file_row_number >= {rows * part // PARTS} AND file_row_number < {rows * (part + 1) // PARTS}"
        source = f"SELECT * EXCLUDE file_row_number FROM read_parquet('{lineitem}', file_row_number = true) WHERE {share}"
        database.execute(f"COPY ({source}) TO '{parts}.draft/part-{part:02}.parquet' (FORMAT parquet)")
    os.rename(f"{parts}.draft", parts)
