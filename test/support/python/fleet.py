"""Clients of a fleet: under load while things break, in the middle of a stream, and at every location of an endpoint."""
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow
import pyarrow.flight as flight

from adbc_flightsql import read_partition
from arrow_flight import client_of, descriptor, sign_in
from lines import answer, verb

EXPECTED = {}
LOADS = {}
STREAMS = {}
PAUSE_SECONDS = 0.1


def connect(c):
    return flightsql.connect(c["uri"], db_kwargs={"username": c["user"], "password": c["password"]}, autocommit=True)


def ordered(table):
    """The first column's values differ from row to row in every statement here."""
    return table.sort_by(table.column_names[0]).combine_chunks()


@verb
def fleet_expect(c):
    """Keeps the right answer to `sql` for `user`, from a server that nothing happens to; how many rows it has."""
    with connect(c) as connection, connection.cursor() as cursor:
        cursor.execute(c["sql"])
        EXPECTED[c["user"], c["sql"]] = ordered(cursor.fetch_arrow_table())
    return EXPECTED[c["user"], c["sql"]].num_rows


def is_right(c, table):
    return ordered(table).equals(EXPECTED[c["user"], c["sql"]])


def ask(connection, sql):
    """After a failed read the driver manager may also fail to close; what counts is the first of the two."""
    cursor = connection.cursor()
    try:
        cursor.execute(sql)
        return cursor.fetch_arrow_table()
    finally:
        with contextlib.suppress(RuntimeError):
            cursor.close()


class Load:
    """Some clients, each with a connection of its own that it keeps, which ask their one question again and again."""

    def __init__(self, uri, clients):
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.right = [0] * len(clients)
        self.wrong = 0
        self.failures = {}
        self.threads = [threading.Thread(target=self.run, args=(index, {**client, "uri": uri})) for index, client in enumerate(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, index, c):
        connection = None
        while not self.stopping.is_set():
            try:
                connection = connection or connect(c)
                right = is_right(c, ask(connection, c["sql"]))
                with self.lock:
                    self.right[index] += right
                    self.wrong += not right
            except Exception as error:  # what a fault may look like is for the test to judge
                with self.lock:
                    text = f"{type(error).__name__}: {error}"
                    self.failures[text] = self.failures.get(text, 0) + 1
            time.sleep(PAUSE_SECONDS)
        if connection is not None:
            connection.close()

    def progress(self):
        with self.lock:
            return {"right": list(self.right), "wrong": self.wrong, "failures": dict(self.failures)}


@verb
def load_start(c):
    LOADS[c["id"]] = Load(c["uri"], c["clients"])


@verb
def load_progress(c):
    return LOADS[c["id"]].progress()


@verb
def load_stop(c):
    load = LOADS.pop(c["id"])
    load.stopping.set()
    for thread in load.threads:
        thread.join()
    return load.progress()


@verb
def stream_open(c):
    """Reads the first batch of each of `streams` and stops there; rows read."""
    def start(c):
        connection = connect(c)
        cursor = connection.cursor()
        cursor.execute(c["sql"])
        reader = cursor.fetch_record_batch()
        return connection, cursor, reader, [reader.read_next_batch()], c

    with ThreadPoolExecutor(len(c["streams"])) as pool:
        STREAMS[c["id"]] = list(pool.map(start, [{**stream, "uri": c["uri"]} for stream in c["streams"]]))
    return sum(batches[0].num_rows for *_, batches, _ in STREAMS[c["id"]])


@verb
def stream_rest(c):
    """Reads them on; how each ends: `right`, `wrong`, or with an error's text."""
    def finish(stream):
        connection, cursor, reader, batches, c = stream
        try:
            batches.extend(reader)
            return "right" if is_right(c, pyarrow.Table.from_batches(batches)) else "wrong"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            with contextlib.suppress(RuntimeError):
                cursor.close()
                connection.close()

    streams = STREAMS.pop(c["id"])
    with ThreadPoolExecutor(len(streams)) as pool:
        return list(pool.map(finish, streams))


@verb
def partitions_open(c):
    """Plans only; how many partitions there are."""
    connection = connect(c)
    with connection.cursor() as cursor:
        partitions, _ = cursor.adbc_execute_partitions(c["sql"])
    STREAMS[c["id"]] = connection, partitions
    return len(partitions)


@verb
def partitions_read(c):
    connection, partitions = STREAMS.pop(c["id"])
    with connection:
        return "right" if is_right(c, pyarrow.concat_tables(read_partition(connection, partition) for partition in partitions)) else "wrong"


@verb
def flight_everywhere(c):
    """The whole answer once per place in the lists of locations: every endpoint at its first, at its second, …, with the first server's token."""
    with client_of(c) as client:
        options = sign_in(client, c)
        info = client.get_flight_info(descriptor(c), options)
        rounds = max(len(endpoint.locations) for endpoint in info.endpoints)
        return {
            "locations": [[location.uri.decode() for location in endpoint.locations] for endpoint in info.endpoints],
            "answers": [answer(pyarrow.concat_tables(read_at(endpoint, place, options) for endpoint in info.endpoints)) for place in range(rounds)],
        }


def read_at(endpoint, place, options):
    with flight.connect(endpoint.locations[place]) as server:
        return server.do_get(endpoint.ticket, options).read_all()


@verb
def adbc_handle_open(c):
    """Prepares a statement and keeps it open."""
    connection = connect(c)
    cursor = connection.cursor()
    cursor.adbc_prepare(c["sql"])
    STREAMS[c["id"]] = (connection, cursor, c["sql"])


@verb
def adbc_handle_run(c):
    _, cursor, sql = STREAMS[c["id"]]
    cursor.execute(sql)
    return answer(cursor.fetch_arrow_table())
