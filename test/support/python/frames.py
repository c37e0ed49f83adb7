"""pandas, polars and DuckDB reading through ADBC."""
import duckdb
import pandas
import polars
import pyarrow

from adbc_flightsql import connect
from lines import answer, verb


@verb
def pandas_read_sql(c):
    return answer(pyarrow.Table.from_pandas(pandas.read_sql(c["sql"], connect(c), params=c.get("values")), preserve_index=False))


@verb
def pandas_pyarrow(c):
    """With Arrow types kept, as pandas users of ADBC are told to."""
    return answer(pyarrow.Table.from_pandas(pandas.read_sql(c["sql"], connect(c), dtype_backend="pyarrow"), preserve_index=False))


@verb
def pandas_to_sql(c):
    """DataFrame.to_sql ingests; the number of rows."""
    frame = pandas.DataFrame({"id": range(c["rows"]), "name": [f"n{i}" for i in range(c["rows"])]})
    return frame.to_sql(c["table"], connect(c), schema=c["schema"], if_exists=c.get("if_exists", "fail"), index=False)


def oldest(frame):
    return frame.to_arrow(compat_level=polars.CompatLevel.oldest())


@verb
def polars_read_database(c):
    return answer(oldest(polars.read_database(c["sql"], connect(c))))


@verb
def polars_batches(c):
    """Rows of all batches, read one by one."""
    return sum(frame.height for frame in polars.read_database(c["sql"], connect(c), iter_batches=True, batch_size=1000))


@verb
def polars_read_uri(c):
    """polars opens the driver itself, from an address alone."""
    return answer(oldest(polars.read_database_uri(c["sql"], c["uri"], engine="adbc")))


@verb
def polars_write_database(c):
    frame = polars.DataFrame({"id": list(range(c["rows"]))})
    return frame.write_database(f'{c["schema"]}.{c["table"]}', connect(c), engine="adbc", if_table_exists=c.get("if_exists", "fail"))


@verb
def duckdb_over_reader(c):
    """DuckDB runs `over` on the stream `remote` that ADBC hands it."""
    with connect(c).cursor() as cursor:
        cursor.execute(c["sql"])
        remote = cursor.fetch_record_batch()
        with duckdb.connect() as local:
            local.register("remote", remote)
            return answer(local.execute(c["over"]).to_arrow_table())


@verb
def duckdb_relation(c):
    with connect(c).cursor() as cursor:
        cursor.execute(c["sql"])
        with duckdb.connect() as local:
            return answer(local.from_arrow(cursor.fetch_arrow_table()).aggregate(c["aggregate"]).to_arrow_table())
