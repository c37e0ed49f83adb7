"""pyarrow.flight, as notebooks use it, without any Flight SQL library."""

import pyarrow
import pyarrow.flight as flight

from lines import answer, schema_facts, verb


def client_of(c):
    """`tls`: arguments of FlightClient as PEM text."""
    tls = {key: value.encode() if isinstance(value, str) and key != "override_hostname" else value for key, value in c.get("tls", {}).items()}
    return flight.connect(c["uri"], **tls)


def sign_in(client, c):
    headers = [(key.encode(), value.encode()) for key, value in c.get("headers", {}).items()]
    if c.get("token"):
        headers.append((b"authorization", f"Bearer {c['token']}".encode()))
    elif c.get("user"):
        headers.append(client.authenticate_basic_token(c["user"], c["password"]))
    return flight.FlightCallOptions(headers=headers, timeout=c.get("timeout"))


def field(number, payload):
    """A length-delimited protobuf field."""
    size, length = b"", len(payload)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + payload


def packed(name, payload):
    return field(1, f"type.googleapis.com/arrow.flight.protocol.sql.{name}".encode()) + field(2, payload)


def command(sql):
    return flight.FlightDescriptor.for_command(packed("CommandStatementQuery", field(1, sql.encode())))


def descriptor(c):
    """Of `sql`, of the dataset at `path`, or of `raw` text, as clients without Flight SQL send it."""
    if "path" in c:
        return flight.FlightDescriptor.for_path(*c["path"])
    return flight.FlightDescriptor.for_command(c["raw"].encode()) if "raw" in c else command(c["sql"])


@verb
def flight_locations(c):
    """As the Flight documentation says: each endpoint at one of its locations, with the token of the first server."""
    with client_of(c) as client:
        options = sign_in(client, c)
        info = client.get_flight_info(descriptor(c), options)
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


@verb
def flight_naive(c):
    with client_of(c) as client:
        options = sign_in(client, c)
        info = client.get_flight_info(descriptor(c), options)
        return answer(client.do_get(info.endpoints[0].ticket, options).read_all())


@verb
def flight_info(c):
    """What GetFlightInfo says beside the schema."""
    with client_of(c) as client:
        info = client.get_flight_info(descriptor(c), sign_in(client, c))
        return {
            "endpoints": len(info.endpoints),
            "ordered": info.ordered,
            "records": info.total_records,
            "expires": [endpoint.expiration_time is not None for endpoint in info.endpoints],
        }


@verb
def flight_schema(c):
    with client_of(c) as client:
        return schema_facts(client.get_schema(descriptor(c), sign_in(client, c)).schema)


@verb
def flight_token(c):
    """What authenticate_basic_token gives, without `Bearer `."""
    with client_of(c) as client:
        return client.authenticate_basic_token(c["user"], c["password"])[1].decode().removeprefix("Bearer ")


@verb
def flight_list(c):
    with client_of(c) as client:
        found = client.list_flights(options=sign_in(client, c))
        return [{"path": [part.decode() for part in info.descriptor.path], "schema": schema_facts(info.schema)} for info in found]


@verb
def flight_actions(c):
    with client_of(c) as client:
        return [action.type for action in client.list_actions(sign_in(client, c))]


@verb
def flight_borrowed_ticket(c):
    """Plans as one user, redeems as `thief`, or with no credentials at all."""
    with client_of(c) as client:
        info = client.get_flight_info(descriptor(c), sign_in(client, c))
        if c.get("thief") is None:
            return answer(client.do_get(info.endpoints[0].ticket).read_all())
        options = sign_in(client, {"user": c["thief"], "password": c["thief_password"]})
        return answer(client.do_get(info.endpoints[0].ticket, options).read_all())


@verb
def flight_cancel(c):
    """Reads one batch, cancels; the rows read."""
    with client_of(c) as client:
        options = sign_in(client, c)
        info = client.get_flight_info(descriptor(c), options)
        reader = client.do_get(info.endpoints[0].ticket, options)
        rows = reader.read_chunk().data.num_rows
        reader.cancel()
        return rows


def how_it_ends(read):
    """pyarrow takes a stream that the server cancels for its own user's Ctrl-C."""
    try:
        read()
        return "whole"
    except (pyarrow.ArrowException, KeyboardInterrupt) as error:
        return type(error).__name__


@verb
def flight_cancel_info(c):
    """Reads one batch, then cancels by CancelFlightInfo; the status, and how reading on ends."""
    with client_of(c) as client:
        options = sign_in(client, c)
        info = client.get_flight_info(descriptor(c), options)
        reader = client.do_get(info.endpoints[0].ticket, options)
        reader.read_chunk()
        request = field(1, info.serialize())
        results = list(client.do_action(flight.Action("CancelFlightInfo", request), options))
        status = results[0].body.to_pybytes()
        ended = how_it_ends(reader.read_all)
        again = how_it_ends(lambda: client.do_get(info.endpoints[0].ticket, options).read_all())
        return {"status": status[1] if len(status) > 1 else 0, "ended": ended, "again": again}


@verb
def flight_renew(c):
    """RenewFlightEndpoint: whether the expiry moved, and the rows under the renewed ticket."""
    with client_of(c) as client:
        options = sign_in(client, c)
        endpoint = client.get_flight_info(descriptor(c), options).endpoints[0]
        results = list(client.do_action(flight.Action("RenewFlightEndpoint", field(1, endpoint.serialize())), options))
        renewed = flight.FlightEndpoint.deserialize(results[0].body.to_pybytes())
        return {
            "later": renewed.expiration_time.as_py() >= endpoint.expiration_time.as_py(),
            "answer": answer(client.do_get(renewed.ticket, options).read_all()),
        }


class Cookies(flight.ClientMiddlewareFactory):
    """The cookie jar that a notebook writes for itself."""

    def __init__(self):
        super().__init__()
        self.jar = {}

    def start_call(self, info):
        return CookieCall(self.jar)


class CookieCall(flight.ClientMiddleware):
    def __init__(self, jar):
        super().__init__()
        self.jar = jar

    def sending_headers(self):
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())} if self.jar else {}

    def received_headers(self, headers):
        for name, values in headers.items():
            if name.lower() == "set-cookie":
                for value in values:
                    key, _, rest = value.partition("=")
                    content, *attributes = rest.split(";")
                    if any(attribute.strip().lower() == "max-age=0" for attribute in attributes):
                        self.jar.pop(key, None)
                    else:
                        self.jar[key] = content


@verb
def flight_session(c):
    """SetSessionOptions with text `options` (null erases), then `sql` and GetSessionOptions in the same session, then CloseSession."""
    cookies = Cookies()
    with flight.connect(c["uri"], middleware=[cookies]) as client:
        options = sign_in(client, c)

        def act(name, body=b""):
            return [result.body.to_pybytes() for result in client.do_action(flight.Action(name, body), options)]

        entries = b"".join(
            field(1, field(1, name.encode()) + field(2, b"" if value is None else field(1, value.encode())))
            for name, value in c["options"].items())
        set_result = act("SetSessionOptions", entries)
        facts = {"errors": b"".join(set_result).hex(), "cookie": sorted(cookies.jar)}
        if "sql" in c:
            info = client.get_flight_info(command(c["sql"]), options)
            facts["answer"] = answer(client.do_get(info.endpoints[0].ticket, options).read_all())
        got = b"".join(act("GetSessionOptions"))
        facts["holds"] = {name: name.encode() in got and (value or "").encode() in got for name, value in c["options"].items()}
        act("CloseSession")
        facts["after"] = sorted(cookies.jar)
        return facts


@verb
def flight_exchange(c):
    """What DoExchange sends back for two batches with metadata."""
    with client_of(c) as client:
        options = sign_in(client, c)
        schema = pyarrow.schema([("n", pyarrow.int64())])
        writer, reader = client.do_exchange(flight.FlightDescriptor.for_command(b"echo"), options)
        echoed = []
        with writer:
            writer.begin(schema)
            for start in (0, 10):
                writer.write_with_metadata(pyarrow.record_batch([list(range(start, start + 3))], schema), str(start).encode())
                chunk = reader.read_chunk()
                echoed.append([chunk.data.to_pydict()["n"], chunk.app_metadata.to_pybytes().decode()])
            writer.done_writing()
        return echoed


@verb
def flight_fields(c):
    """Physical types on the wire, and whether bodies are compressed."""
    with client_of(c) as client:
        options = sign_in(client, c)
        info = client.get_flight_info(descriptor(c), options)
        table = client.do_get(info.endpoints[0].ticket, options).read_all()
        return {"promised": [str(f.type) for f in info.schema], "sent": [str(f.type) for f in table.schema], "answer": answer(plain_types(table))}


def plain_types(table):
    """Views and dictionaries as plain text, for the comparison of values."""
    def simple(kind):
        return pyarrow.string() if pyarrow.types.is_dictionary(kind) or kind == pyarrow.string_view() else kind

    return table.cast(pyarrow.schema([(f.name, simple(f.type)) for f in table.schema]))
