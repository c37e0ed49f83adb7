"""The C++ yardstick: a pyarrow Flight server on DuckDB, as a person would write it, tuned.

usage: pyarrow_server.py LINEITEM.parquet BATCHES.arrows THREADS [STREAMING_BUFFER]. Prints the port. LINEITEM may lie on S3 (duckdb_source.py). Speaks GetFlightInfo(CommandStatementQuery) and DoGet, no auth.
The query `ready` streams BATCHES from memory: the transport alone. Every other query streams from DuckDB.
"""
import functools
import sys

import pyarrow
import pyarrow.flight as flight

import duckdb_source

ROWS_PER_BATCH = 65536  # measured best of 8k … 256k


def unwrap(payload, number):
    """The last length-delimited protobuf field with this number."""
    found, at = b"", 0
    while at < len(payload):
        tag, at = payload[at], at + 1
        size, shift = 0, 0
        while True:
            byte, at = payload[at], at + 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if tag >> 3 == number:
            found = payload[at : at + size]
        at += size
    return found


class Server(flight.FlightServerBase):
    def __init__(self, lineitem, batches, threads, streaming_buffer=None):
        super().__init__("grpc://127.0.0.1:0")
        self.batches = batches
        self.database = duckdb_source.connect(lineitem, threads)
        self.streaming_buffer = streaming_buffer

    def cursor(self):
        cursor = self.database.cursor()
        if self.streaming_buffer:  # local to each connection
            cursor.execute(f"SET streaming_buffer_size = '{self.streaming_buffer}'")
        return cursor

    @functools.cached_property
    def ready(self):
        with open(self.batches, "rb") as file:
            return pyarrow.ipc.open_stream(pyarrow.py_buffer(file.read())).read_all()

    def get_flight_info(self, context, descriptor):
        sql = unwrap(unwrap(descriptor.command, 2), 1)
        if sql == b"ready":
            schema = self.ready.schema
        else:
            schema = self.cursor().execute(f"SELECT * FROM ({sql.decode()}) LIMIT 0").to_arrow_table().schema
        return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(sql, [])], -1, -1)

    def do_get(self, context, ticket):
        if ticket.ticket == b"ready":
            return flight.RecordBatchStream(self.ready)
        return flight.RecordBatchStream(self.cursor().execute(ticket.ticket.decode()).to_arrow_reader(ROWS_PER_BATCH))


if __name__ == "__main__":
    server = Server(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
    print(server.port, flush=True)
    server.serve()
