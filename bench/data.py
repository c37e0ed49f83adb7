"""Makes the bench data once: usage data.py TPCH_EXTENSION LINEITEM.parquet BATCHES.arrows."""
import os
import sys

import duckdb
import pyarrow

ROWS_PER_BATCH = 16384  # 2.8 MB: under the 4 MB that gRPC clients accept by default

extension, lineitem, batches = sys.argv[1:]
if not os.path.exists(lineitem):
    database = duckdb.connect()
    database.execute(f"LOAD '{extension}'")
    database.execute("CALL dbgen(sf = 1)")
    database.execute(f"COPY lineitem TO '{lineitem}.draft' (FORMAT parquet)")
    os.rename(f"{lineitem}.draft", lineitem)
if not os.path.exists(batches):
    reader = duckdb.connect().execute(f"FROM read_parquet('{lineitem}')").to_arrow_reader(ROWS_PER_BATCH)
    with pyarrow.OSFile(f"{batches}.draft", "wb") as file, pyarrow.ipc.new_stream(file, reader.schema) as stream:
        for batch in reader:
            stream.write_batch(batch)
    os.rename(f"{batches}.draft", batches)
