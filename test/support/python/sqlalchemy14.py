"""flightsql-dbapi: its own DB-API, its Flight SQL client, and SQLAlchemy 1.4 on top."""
import flightsql.sqlalchemy  # noqa: F401 - registers datafusion+flightsql
import sqlalchemy
from flightsql import FlightSQLClient, TableRef, connect
from sqlalchemy import column, func, inspect, select, table, text
from sqlalchemy.engine import URL

from lines import answer, literal, plain, verb

ENGINES = {}


def client_of(c):
    login = {"token": c["token"]} if c.get("token") else {"user": c["user"], "password": c["password"]}
    return FlightSQLClient(host="127.0.0.1", port=c["port"], **login, **c.get("client", {"insecure": True}))


@verb
def dbapi_query(c):
    """`values`: a Python tuple as text; the DB-API then prepares and binds."""
    connection = connect(client_of(c))
    with connection.cursor() as cursor:
        cursor.execute(c["sql"], literal(c["values"]) if "values" in c else None)
        names = [name for name, _ in cursor.description]
        return {"columns": [[name, ""] for name in names], "rows": plain(cursor.fetchall())}


@verb
def dbapi_metadata(c):
    """Every metadata call of its client, as tables."""
    client = client_of(c)

    def read(info):
        return answer(client.do_get(info.endpoints[0].ticket).read_all())

    orders, customers = (TableRef(db_schema="demo", table=name) for name in ("orders", "customers"))
    return {
        "catalogs": read(client.get_catalogs()),
        "schemas": read(client.get_db_schemas()),
        "tables": read(client.get_tables(db_schema_filter_pattern="demo", table_types=["TABLE", "VIEW"])),
        "types": read(client.get_table_types()),
        "primary": read(client.get_primary_keys(customers)),
        "exported": read(client.get_exported_keys(customers)),
        "imported": read(client.get_imported_keys(orders)),
        "cross": read(client.get_cross_reference(customers, orders)),
        "xdbc": read(client.get_xdbc_type_info(None)),
        "info": read(client.get_sql_info([0, 1, 3, 504])),
    }


@verb
def dbapi_update(c):
    return client_of(c).execute_update(c["sql"])


def engine_of(c):
    """`query`: parameters of the URL."""
    url = URL.create("datafusion+flightsql", c["user"], c["password"], "127.0.0.1", c["port"], query=c.get("query", {"insecure": "True"}))
    if url not in ENGINES:
        ENGINES[url] = sqlalchemy.create_engine(url)
    return ENGINES[url]


@verb
def alchemy_text(c):
    with engine_of(c).connect() as connection:
        result = connection.execute(text(c["sql"]))
        return {"columns": [[name, ""] for name in result.keys()], "rows": plain([list(row) for row in result])}


@verb
def alchemy_select(c):
    """A statement built of expressions, whose values are literals or parameters as the URL says."""
    orders = table("orders", column("order_id"), column("region"), column("amount"), column("status"), schema="demo")
    statement = (
        select(orders.c.status, func.count().label("n"))
        .where(orders.c.region == c["region"], orders.c.order_id <= c["limit"], orders.c.status.in_(["paid", "it's", "shipped", "open"]))
        .group_by(orders.c.status).order_by(orders.c.status))
    with engine_of(c).connect() as connection:
        return {"columns": [], "rows": plain([list(row) for row in connection.execute(statement)])}


@verb
def alchemy_inspect(c):
    with engine_of(c).connect() as connection:
        inspector = inspect(connection)
        return {
            "schemas": inspector.get_schema_names(),
            "tables": inspector.get_table_names("demo"),
            "columns": [[found["name"], str(found["type"])] for found in inspector.get_columns("customers", "demo")],
            "has": [inspector.has_table("orders", "demo"), inspector.has_table("nothing", "demo")],
            "key": plain(inspector.get_pk_constraint("customers", "demo")),
        }
