"""DuckDB inside the client: no server at all. usage: direct.py LINEITEM THREADS. Speaks the line protocol of client.py; `uri` is ignored."""
import sys
import time

import client
import duckdb_source

ROWS_PER_BATCH = 65536

database = duckdb_source.connect(sys.argv[1], int(sys.argv[2]))


def fetch(request):
    rows = size = batches = 0
    first = None
    start = time.perf_counter()
    for batch in database.cursor().execute(request["sql"]).to_arrow_reader(ROWS_PER_BATCH):
        rows += batch.num_rows
        size += batch.get_total_buffer_size()
        batches += 1
        if first is None and batch.num_rows:
            first = time.perf_counter() - start
    return {"rows": rows, "bytes": size, "batches": batches, "first_s": first, "wall_s": time.perf_counter() - start}


client.answer(fetch)
