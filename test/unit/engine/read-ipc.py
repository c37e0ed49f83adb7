"""Compares Arrow IPC streams with pyarrow: reads pairs of paths from stdin, each a plain stream and the same rows in another form; one JSON line each."""
import json
import sys

import pyarrow
import pyarrow.ipc


def read(path):
    table = pyarrow.ipc.open_stream(path).read_all()
    table.validate(full=True)
    return table


for line in sys.stdin:
    plain, other = json.loads(line)
    try:
        expected, actual = read(plain), read(other)
        rows = repr(expected.to_pylist()) == repr(actual.to_pylist())
        reply = {"types": [str(field.type) for field in actual.schema], "rows": actual.num_rows, "same": rows}
    except Exception as error:  # every failure is an answer
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
