"""Real Python clients for the conformance tests, and plain DuckDB for the expected answers.

One JSON command per input line: {"do": verb, ...arguments}; one JSON answer per output line: {"value": ...} or {"error": {"type", "message"}}.
Tables come back as {"columns": [[name, Arrow type]...], "rows": [[value...]...]} in one vocabulary for every client (see `plain`), so that answers
compare by equality.
"""
import datetime
import decimal
import json
import math
import os
import sys

import adbc_driver_flightsql.dbapi as flightsql
import duckdb
import pandas
import polars
import pyarrow
import pyarrow.flight as flight

SAFE_INTEGER = 2**53 - 1
CONNECTIONS = {}


def plain(value):
    """Decimals, dates, times, intervals and integers beyond 2^53 become text, bytes hex, NaN and infinities text."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value)


def answer(table):
    if isinstance(table, pyarrow.RecordBatchReader):
        table = table.read_all()
    columns = [[field.name, str(field.type)] for field in table.schema]
    return {"columns": columns, "rows": [list(row) for row in zip(*([plain(v) for v in column.to_pylist()] for column in table.columns))]}


def schema_facts(schema):
    return [[field.name, str(field.type), field.nullable] for field in schema]


# --- ADBC ---------------------------------------------------------------------------------------------------------------------------

def adbc(c):
    """A connection per identity, kept open as a BI tool keeps it."""
    key = (c["uri"], c.get("user"), c.get("password"))
    if key not in CONNECTIONS:
        options = {"username": c["user"], "password": c["password"]} if c.get("user") else {}
        CONNECTIONS[key] = flightsql.connect(c["uri"], db_kwargs=options, autocommit=True)
    return CONNECTIONS[key]


def adbc_query(c):
    with adbc(c).cursor() as cursor:
        cursor.execute(c["sql"])
        return answer(cursor.fetch_arrow_table())


def adbc_prepared(c):
    """Prepares once, runs the statement `times` times; the last answer."""
    with adbc(c).cursor() as cursor:
        cursor.adbc_prepare(c["sql"])
        for _ in range(c.get("times", 2)):
            cursor.execute(c["sql"])
            last = cursor.fetch_arrow_table()
        return answer(last)


def adbc_statement(c):
    """CommandStatementQuery: ADBC's path without a prepared statement, through partitions."""
    connection = adbc(c)
    with connection.cursor() as cursor:
        partitions, _ = cursor.adbc_execute_partitions(c["sql"])
    tables = []
    for partition in partitions:
        with connection.cursor() as cursor:
            cursor.adbc_read_partition(partition)
            tables.append(cursor.fetch_arrow_table())
    return answer(pyarrow.concat_tables(tables))


def adbc_partial(c):
    """Reads one batch of a large result and closes the cursor; the rows read."""
    with adbc(c).cursor() as cursor:
        cursor.execute(c["sql"])
        return cursor.fetch_record_batch().read_next_batch().num_rows


def adbc_objects(c):
    return plain(adbc(c).adbc_get_objects(depth=c.get("depth", "all")).read_all().to_pylist())


def adbc_table_schema(c):
    return schema_facts(adbc(c).adbc_get_table_schema(c["table"], db_schema_filter=c["schema"]))


def adbc_table_types(c):
    return adbc(c).adbc_get_table_types()


def adbc_info(c):
    return plain(adbc(c).adbc_get_info())


def adbc_execute_schema(c):
    with adbc(c).cursor() as cursor:
        return schema_facts(cursor.adbc_execute_schema(c["sql"]))


def pandas_read_sql(c):
    return answer(pyarrow.Table.from_pandas(pandas.read_sql(c["sql"], adbc(c)), preserve_index=False))


def polars_read_database(c):
    return answer(polars.read_database(c["sql"], adbc(c)).to_arrow(compat_level=polars.CompatLevel.oldest()))


# --- pyarrow.flight -----------------------------------------------------------------------------------------------------------------

def sign_in(client, c):
    return flight.FlightCallOptions(headers=[client.authenticate_basic_token(c["user"], c["password"])])


def field(number, payload):
    """A length-delimited protobuf field."""
    size, length = b"", len(payload)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + payload


def command(sql):
    name = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return flight.FlightDescriptor.for_command(field(1, name) + field(2, field(1, sql.encode())))


def flight_locations(c):
    """As the Flight documentation says: each endpoint at one of its locations, with the token of the first server."""
    with flight.connect(c["uri"]) as client:
        options = sign_in(client, c)
        info = client.get_flight_info(command(c["sql"]), options)
        tables = []
        for endpoint in info.endpoints:
            if endpoint.locations:
                with flight.connect(endpoint.locations[0]) as worker:
                    tables.append(worker.do_get(endpoint.ticket, options).read_all())
            else:
                tables.append(client.do_get(endpoint.ticket, options).read_all())
        result = answer(pyarrow.concat_tables(tables))
        result["locations"] = [[location.uri.decode() for location in endpoint.locations] for endpoint in info.endpoints]
        result["same_schema"] = all(info.schema.equals(table.schema, check_metadata=False) for table in tables)
        return result


def flight_naive(c):
    with flight.connect(c["uri"]) as client:
        options = sign_in(client, c)
        info = client.get_flight_info(command(c["sql"]), options)
        return answer(client.do_get(info.endpoints[0].ticket, options).read_all())


def flight_schema(c):
    with flight.connect(c["uri"]) as client:
        return schema_facts(client.get_schema(command(c["sql"]), sign_in(client, c)).schema)


def flight_borrowed_ticket(c):
    """Plans as one user, redeems as `thief`, or with no credentials at all."""
    with flight.connect(c["uri"]) as client:
        info = client.get_flight_info(command(c["sql"]), sign_in(client, c))
        if c.get("thief") is None:
            return answer(client.do_get(info.endpoints[0].ticket).read_all())
        options = sign_in(client, {"user": c["thief"], "password": c["thief_password"]})
        return answer(client.do_get(info.endpoints[0].ticket, options).read_all())


def flight_cancel(c):
    """Reads one batch, cancels; the rows read."""
    with flight.connect(c["uri"]) as client:
        options = sign_in(client, c)
        info = client.get_flight_info(command(c["sql"]), options)
        reader = client.do_get(info.endpoints[0].ticket, options)
        rows = reader.read_chunk().data.num_rows
        reader.cancel()
        return rows


# --- plain DuckDB: the independent answer -------------------------------------------------------------------------------------------

def duckdb_query(c):
    """`setup` statements first, in a fresh database per call unless `database` names a file."""
    connection = duckdb.connect(c.get("database", ":memory:"), read_only="database" in c)
    try:
        for statement in c.get("setup", []):
            connection.execute(statement)
        return answer(connection.execute(c["sql"]).to_arrow_table())
    finally:
        connection.close()


def duckdb_run(c):
    connection = duckdb.connect(c.get("database", ":memory:"))
    try:
        for statement in c["statements"]:
            connection.execute(statement)
    finally:
        connection.close()


def forget(c):
    """Closes every ADBC connection."""
    for connection in CONNECTIONS.values():
        connection.close()
    CONNECTIONS.clear()


VERBS = {name: function for name, function in globals().items() if callable(function) and name in {
    "adbc_query", "adbc_prepared", "adbc_statement", "adbc_partial", "adbc_objects", "adbc_table_schema", "adbc_table_types", "adbc_info",
    "adbc_execute_schema", "pandas_read_sql", "polars_read_database", "flight_locations", "flight_naive", "flight_schema",
    "flight_borrowed_ticket", "flight_cancel", "duckdb_query", "duckdb_run", "forget"}}


def main():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints must not break the protocol
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"value": VERBS[request["do"]](request)}
        except Exception as error:  # every failure is an answer
            reply = {"error": {"type": type(error).__name__, "message": str(error)}}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
