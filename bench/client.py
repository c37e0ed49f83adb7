"""The one client of every server in the bench: pyarrow.flight, reads and drops every batch.

One JSON command per input line {"uri", "sql", "user"?, "password"?}; one JSON answer per output line:
{"rows", "bytes", "batches", "first_s", "wall_s"} or {"error"}. `bytes` counts Arrow buffers, `first_s` the time to the first non-empty batch.
"""
import json
import os
import sys
import time

import pyarrow.flight as flight

CLIENTS = {}


def field(number, payload):
    size, length = b"", len(payload)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + payload


def command(sql):
    name = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return flight.FlightDescriptor.for_command(field(1, name) + field(2, field(1, sql.encode())))


def connect(request):
    key = (request["uri"], request.get("user"))
    if key not in CLIENTS:
        client = flight.connect(request["uri"])
        headers = [client.authenticate_basic_token(request["user"], request["password"])] if request.get("user") else []
        CLIENTS[key] = (client, flight.FlightCallOptions(headers=headers))
    return CLIENTS[key]


def fetch(request):
    client, options = connect(request)
    rows = size = batches = 0
    first = None
    start = time.perf_counter()
    info = client.get_flight_info(command(request["sql"]), options)
    for endpoint in info.endpoints:
        for chunk in client.do_get(endpoint.ticket, options):
            rows += chunk.data.num_rows
            size += chunk.data.get_total_buffer_size()
            batches += 1
            if first is None and chunk.data.num_rows:
                first = time.perf_counter() - start
    wall = time.perf_counter() - start
    return {"rows": rows, "bytes": size, "batches": batches, "first_s": first, "wall_s": wall}


def main():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            reply = fetch(json.loads(line))
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
