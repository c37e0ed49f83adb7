"""Plain DuckDB: the independent answer."""
import duckdb

from lines import answer, verb


@verb
def duckdb_query(c):
    """`setup` statements first, in a fresh database per call unless `database` names a file."""
    connection = duckdb.connect(c.get("database", ":memory:"), read_only="database" in c)
    try:
        for statement in c.get("setup", []):
            connection.execute(statement)
        return answer(connection.execute(c["sql"], c.get("values")).to_arrow_table())
    finally:
        connection.close()


@verb
def duckdb_run(c):
    connection = duckdb.connect(c.get("database", ":memory:"))
    try:
        for statement in c["statements"]:
            connection.execute(statement)
    finally:
        connection.close()


def arrow(sql):
    """An Arrow table made by DuckDB, with whatever types the statement casts to."""
    with duckdb.connect() as connection:
        return connection.execute(sql).to_arrow_table()
