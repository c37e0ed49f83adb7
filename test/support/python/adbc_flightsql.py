"""The ADBC Flight SQL driver."""
import json
import threading

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow

from lines import answer, literal, plain, schema_facts, verb
from plain_duckdb import arrow

CONNECTIONS = {}


def settings(c):
    """`db`, `connection`: driver options as a user sets them; `user` and `password` become options too."""
    login = {"username": c["user"], "password": c["password"]} if c.get("user") else {}
    return {**login, **c.get("db", {})}, c.get("connection", {}), c.get("autocommit", True)


def connect(c):
    """A connection per identity, kept open as a BI tool keeps it."""
    key = json.dumps([c["uri"], *settings(c)], sort_keys=True)
    if key not in CONNECTIONS:
        database, connection, autocommit = settings(c)
        CONNECTIONS[key] = flightsql.connect(c["uri"], db_kwargs=database, conn_kwargs=connection, autocommit=autocommit)
    return CONNECTIONS[key]


@verb
def forget(c):
    """Closes every connection."""
    for connection in CONNECTIONS.values():
        connection.close()
    CONNECTIONS.clear()


@verb
def adbc_query(c):
    with connect(c).cursor(adbc_stmt_kwargs=c.get("statement")) as cursor:
        cursor.execute(c["sql"])
        return answer(cursor.fetch_arrow_table())


@verb
def adbc_fetch(c):
    """As DB-API rows: fetchone, fetchmany, fetchall."""
    with connect(c).cursor() as cursor:
        cursor.execute(c["sql"])
        names = [column[0] for column in cursor.description]
        rows = [cursor.fetchone(), *cursor.fetchmany(2), *cursor.fetchall()]
        return {"columns": [[name, ""] for name in names], "rows": plain(rows)}


@verb
def adbc_prepared(c):
    """Prepares once, runs the statement `times` times; the last answer."""
    with connect(c).cursor() as cursor:
        cursor.adbc_prepare(c["sql"])
        for _ in range(c.get("times", 2)):
            cursor.execute(c["sql"])
            last = cursor.fetch_arrow_table()
        return answer(last)


@verb
def adbc_parameter_schema(c):
    with connect(c).cursor() as cursor:
        return schema_facts(cursor.adbc_prepare(c["sql"]))


@verb
def adbc_bind(c):
    """`values`: a Python tuple as text; `table`: SQL that makes an Arrow table of parameter rows."""
    with connect(c).cursor() as cursor:
        cursor.execute(c["sql"], arrow(c["table"]) if "table" in c else literal(c["values"]))
        return answer(cursor.fetch_arrow_table())


@verb
def adbc_bind_again(c):
    """One prepared statement, bound and run once per tuple of `rows`; all answers."""
    answers = []
    with connect(c).cursor() as cursor:
        for values in literal(c["rows"]):
            cursor.execute(c["sql"], values)
            answers.append(answer(cursor.fetch_arrow_table()))
    return answers


@verb
def adbc_executemany(c):
    """The row count that the driver reports."""
    with connect(c).cursor() as cursor:
        cursor.executemany(c["sql"], arrow(c["table"]) if "table" in c else literal(c["rows"]))
        return cursor.rowcount


@verb
def adbc_update(c):
    """The row count of a statement that is run for its effect."""
    with connect(c).cursor() as cursor:
        cursor.adbc_statement.set_sql_query(c["sql"])
        return cursor.adbc_statement.execute_update()


@verb
def adbc_statement(c):
    """CommandStatementQuery: ADBC's path without a prepared statement, through partitions."""
    connection = connect(c)
    with connection.cursor() as cursor:
        partitions, _ = cursor.adbc_execute_partitions(c["sql"])
    result = answer(pyarrow.concat_tables(read_partition(connection, partition) for partition in partitions))
    return {**result, "partitions": len(partitions)}


def read_partition(connection, partition):
    with connection.cursor() as cursor:
        cursor.adbc_read_partition(partition)
        return cursor.fetch_arrow_table()


@verb
def adbc_incremental(c):
    """PollFlightInfo: partitions as they become ready; the tables read and the rounds that it took."""
    connection = connect(c)
    tables, rounds = [], 0
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.statement.exec.incremental": "true"})
        while True:
            partitions, _ = cursor.adbc_execute_partitions(c["sql"])
            rounds += 1
            if not partitions:
                break
            tables.extend(read_partition(connection, partition) for partition in partitions)
    return {**answer(pyarrow.concat_tables(tables)), "rounds": rounds}


@verb
def adbc_partial(c):
    """Reads one batch of a large result and closes the cursor; the rows read."""
    with connect(c).cursor() as cursor:
        cursor.execute(c["sql"])
        return cursor.fetch_record_batch().read_next_batch().num_rows


@verb
def adbc_cancel(c):
    """Another thread cancels after the first batch; how reading on ends."""
    with connect(c).cursor() as cursor:
        cursor.execute(c["sql"])
        reader = cursor.fetch_record_batch()
        rows = reader.read_next_batch().num_rows
        canceller = threading.Thread(target=cursor.adbc_cancel)
        canceller.start()
        canceller.join()
        try:
            for batch in reader:
                rows += batch.num_rows
        except Exception as error:
            return {"rows": rows, "ended": type(error).__name__, "message": str(error)}
        return {"rows": rows, "ended": "whole", "message": ""}


@verb
def adbc_objects(c):
    filters = {key: c[key] for key in ("catalog_filter", "db_schema_filter", "table_name_filter", "table_types_filter", "column_name_filter") if key in c}
    return plain(connect(c).adbc_get_objects(depth=c.get("depth", "all"), **filters).read_all().to_pylist())


@verb
def adbc_table_schema(c):
    return schema_facts(connect(c).adbc_get_table_schema(c["table"], db_schema_filter=c.get("schema"), catalog_filter=c.get("catalog")))


@verb
def adbc_table_types(c):
    return connect(c).adbc_get_table_types()


@verb
def adbc_info(c):
    return plain(connect(c).adbc_get_info())


@verb
def adbc_execute_schema(c):
    with connect(c).cursor() as cursor:
        return schema_facts(cursor.adbc_execute_schema(c["sql"]))


@verb
def adbc_column_metadata(c):
    """Field metadata of the table, of the promised schema and of the rows."""
    def facts(schema):
        return {field.name: {key.decode(): value.decode() for key, value in (field.metadata or {}).items()} for field in schema}

    connection = connect(c)
    with connection.cursor() as cursor:
        promised = facts(cursor.adbc_execute_schema(c["sql"]))
        cursor.execute(c["sql"])
        rows = facts(cursor.fetch_arrow_table().schema)
    return {"table": facts(connection.adbc_get_table_schema(c["table"], db_schema_filter=c["schema"])), "promised": promised, "rows": rows}


@verb
def adbc_ingest(c):
    """`source`: SQL that makes the rows; they travel as several batches."""
    rows = arrow(c["source"])
    with connect(c).cursor() as cursor:
        reader = pyarrow.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=c.get("batch", 1000)))
        return cursor.adbc_ingest(c["table"], reader, mode=c["mode"], db_schema_name=c.get("schema"), catalog_name=c.get("catalog"))


@verb
def adbc_session(c):
    """Sets `schema` (and `catalog`) on a connection of its own, then asks for both and runs `sql`."""
    database, options, autocommit = settings(c)
    with flightsql.connect(c["uri"], db_kwargs=database, conn_kwargs=options, autocommit=autocommit) as connection:
        if "catalog" in c:
            connection.adbc_current_catalog = c["catalog"]
        if "schema" in c:
            connection.adbc_current_db_schema = c["schema"]
        for name, value in c.get("options", {}).items():
            connection.adbc_connection.set_options(**{name: value})
        facts = {"catalog": connection.adbc_current_catalog, "schema": connection.adbc_current_db_schema}
        if "options" in c:
            facts["options"] = json.loads(connection.adbc_connection.get_option("adbc.flight.sql.session.options"))
        if "sql" in c:
            with connection.cursor() as cursor:
                cursor.execute(c["sql"])
                facts["answer"] = answer(cursor.fetch_arrow_table())
        return facts


@verb
def adbc_transaction(c):
    """With autocommit off, as Python's default is; commit and rollback."""
    with flightsql.connect(c["uri"], db_kwargs=settings(c)[0], autocommit=False) as connection:
        with connection.cursor() as cursor:
            cursor.execute(c["sql"])
            result = answer(cursor.fetch_arrow_table())
        if c.get("end") is not None:
            getattr(connection, c["end"])()
        return result


@verb
def adbc_many_open(c):
    """Several results open at once on one connection, read in turns; rows of each."""
    connection = connect(c)
    cursors = [connection.cursor() for _ in c["statements"]]
    try:
        for cursor, sql in zip(cursors, c["statements"]):
            cursor.execute(sql)
        readers = [cursor.fetch_record_batch() for cursor in cursors]
        rows, open_readers = [0] * len(readers), set(range(len(readers)))
        while open_readers:
            for index in sorted(open_readers):
                try:
                    rows[index] += readers[index].read_next_batch().num_rows
                except StopIteration:
                    open_readers.discard(index)
        return rows
    finally:
        for cursor in cursors:
            cursor.close()
