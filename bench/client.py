"""The one client of every server in the bench: pyarrow.flight, reads and drops every batch.

One JSON command per input line {"uri", "sql", "user"?, "password"?, "parallel"?}; one JSON answer per output line:
{"rows", "bytes", "batches", "first_s", "wall_s"} or {"error"}. `bytes` counts Arrow buffers, `first_s` the time to the first non-empty batch.
`parallel` asks for several endpoints and reads them side by side, each at its first location; `plan` reads nothing.
"""
import concurrent.futures
import json
import os
import sys
import threading
import time

import pyarrow.flight as flight

CLIENTS = {}
SESSIONS = {}
LOCK = threading.Lock()


def field(number, payload):
    size, length = b"", len(payload)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + payload


def command(sql):
    name = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return flight.FlightDescriptor.for_command(field(1, name) + field(2, field(1, sql.encode())))


def client_of(uri):
    with LOCK:
        if uri not in CLIENTS:
            CLIENTS[uri] = flight.connect(uri)
        return CLIENTS[uri]


def sign_in(client, request):
    """Headers of every later call: the bearer, and whether several endpoints are wanted."""
    headers = [client.authenticate_basic_token(request["user"], request["password"])] if request.get("user") else []
    return headers + ([(b"x-sluice-endpoints", b"parallel")] if request.get("parallel") else [])


def connect(request):
    client = client_of(request["uri"])
    key = (request["uri"], request.get("user"), request.get("parallel"))
    if key not in SESSIONS:
        SESSIONS[key] = flight.FlightCallOptions(headers=sign_in(client, request))
    return client, SESSIONS[key]


class Totals:
    def __init__(self):
        self.rows = self.bytes = self.batches = 0
        self.first = None
        self.start = time.perf_counter()

    def read(self, stream):
        rows = size = batches = 0
        for chunk in stream:
            rows += chunk.data.num_rows
            size += chunk.data.get_total_buffer_size()
            batches += 1
            if self.first is None and chunk.data.num_rows:
                self.first = time.perf_counter() - self.start
        with LOCK:
            self.rows, self.bytes, self.batches = self.rows + rows, self.bytes + size, self.batches + batches

    def answer(self):
        wall = time.perf_counter() - self.start
        return {"rows": self.rows, "bytes": self.bytes, "batches": self.batches, "first_s": self.first, "wall_s": wall}


def fetch(request):
    client, options = connect(request)
    totals = Totals()
    info = client.get_flight_info(command(request["sql"]), options)
    if request.get("plan"):
        places = {endpoint.locations[0].uri for endpoint in info.endpoints if endpoint.locations}
        return {"locations": len(places), "endpoints": len(info.endpoints), "wall_s": totals.answer()["wall_s"]}
    if request.get("parallel"):
        read_side_by_side(info.endpoints, client, options, totals)
    else:
        for endpoint in info.endpoints:
            totals.read(client.do_get(endpoint.ticket, options))
    return {**totals.answer(), "endpoints": len(info.endpoints)}


def read_side_by_side(endpoints, client, options, totals):
    def read(endpoint):
        place = client_of(endpoint.locations[0].uri.decode()) if endpoint.locations else client
        totals.read(place.do_get(endpoint.ticket, options))

    with concurrent.futures.ThreadPoolExecutor(max(1, len(endpoints))) as pool:
        list(pool.map(read, endpoints))


def answer(fetch):
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
    answer(fetch)
