"""The packages that GizmoSQL's users have: the SQLAlchemy 2 dialect over ADBC, and the ibis backend."""
import ibis
import sqlalchemy
from sqlalchemy import MetaData, Table, func, inspect, select, text
from sqlalchemy.engine import URL

from lines import answer, plain, verb

ENGINES = {}
BACKENDS = {}


def engine_of(c):
    """`query`: parameters of the URL; unknown ones become headers of every call."""
    url = URL.create("gizmosql", c["user"], c["password"], "127.0.0.1", c["port"], query=c.get("query", {"useEncryption": "False"}))
    if url not in ENGINES:
        ENGINES[url] = sqlalchemy.create_engine(url)
    return ENGINES[url]


@verb
def alchemy2_text(c):
    with engine_of(c).connect() as connection:
        result = connection.execute(text(c["sql"]), c.get("values", {}))
        return {"columns": [[name, ""] for name in result.keys()], "rows": plain([list(row) for row in result])}


@verb
def alchemy2_inspect(c):
    inspector = inspect(engine_of(c))
    return {
        "schemas": inspector.get_schema_names(),
        "tables": inspector.get_table_names("demo"),
        "views": inspector.get_view_names("demo"),
        "columns": [[found["name"], getattr(found["type"], "__name__", str(found["type"]))] for found in inspector.get_columns("customers", "demo")],
        "has": [inspector.has_table("orders", schema="demo"), inspector.has_table("nothing", schema="demo")],
    }


@verb
def alchemy2_reflect(c):
    """A table as the database describes it, keys included, then a query over it with bound values."""
    engine = engine_of(c)
    orders = Table("orders", MetaData(), schema="demo", autoload_with=engine)
    statement = (
        select(orders.c.status, func.count().label("n")).where(orders.c.order_id <= c["limit"])
        .group_by(orders.c.status).order_by(orders.c.status))
    with engine.connect() as connection:
        return {"columns": [], "rows": plain([list(row) for row in connection.execute(statement)])}


def backend_of(c):
    key = (c["port"], c["user"])
    if key not in BACKENDS:
        BACKENDS[key] = ibis.gizmosql.connect(host="127.0.0.1", port=c["port"], user=c["user"], password=c["password"], **c.get("client", {}))
    return BACKENDS[key]


@verb
def ibis_tables(c):
    backend = backend_of(c)
    return {"catalog": backend.current_catalog, "database": backend.current_database, "databases": backend.list_databases(),
            "tables": sorted(backend.list_tables(database="demo")), "version": backend.version}


@verb
def ibis_schema(c):
    return [[name, str(kind)] for name, kind in backend_of(c).table(c["table"], database="demo").schema().items()]


@verb
def ibis_query(c):
    """A grouped, filtered join built of expressions."""
    backend = backend_of(c)
    orders, customers = (backend.table(name, database="demo") for name in ("orders", "customers"))
    expression = (
        orders.filter(orders.order_id <= c["limit"]).join(customers, "customer_id")
        .group_by("birth_date").agg(n=ibis._.count(), total=ibis._.amount.sum()).order_by("birth_date").limit(40))
    return answer(expression.to_pyarrow())


@verb
def ibis_batches(c):
    reader = backend_of(c).table("orders", database="demo").select("order_id").to_pyarrow_batches()
    return sum(batch.num_rows for batch in reader)


@verb
def ibis_sql(c):
    return answer(backend_of(c).sql(c["sql"]).to_pyarrow())
