"""Many clients at once: each has a connection of its own, signs in, and asks one query after the other until the time is over.

Line protocol of client.py. {"uri", "user"?, "password"?, "clients", "seconds", "sql", "keys"}: `{key}` in the SQL becomes a number below `keys`, drawn
anew for each query, `{end}` the end of a range from there; → {"queries", "errors", "rate", "p50_ms", "p99_ms", "first_error"}. Latencies run from GetFlightInfo to the last batch.
"""
import random
import threading
import time

import client
import pyarrow.flight as flight

RANGE = 100


def ask(connection, options, sql):
    info = connection.get_flight_info(client.command(sql), options)
    for endpoint in info.endpoints:
        connection.do_get(endpoint.ticket, options).read_all()


class Load:
    def __init__(self, request):
        self.request = request
        self.latencies, self.errors = [], []
        self.end = 0
        # Nobody starts before everybody is signed in.
        self.signed_in = threading.Barrier(request["clients"] + 1)
        self.go = threading.Barrier(request["clients"] + 1)

    def one(self, seed):
        draw, latencies, errors = random.Random(seed), [], []
        # Without it all clients of a process share one connection.
        connection = flight.connect(self.request["uri"], generic_options=[("grpc.use_local_subchannel_pool", 1)])
        options = None
        try:
            options = flight.FlightCallOptions(headers=client.sign_in(connection, self.request))
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
        self.signed_in.wait()
        self.go.wait()
        while options is not None and time.perf_counter() < self.end:
            start = time.perf_counter()
            try:
                key = draw.randrange(self.request["keys"])
                ask(connection, options, self.request["sql"].format(key=key, end=key + RANGE))
                latencies.append(time.perf_counter() - start)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
        connection.close()
        self.latencies += latencies
        self.errors += errors

    def run(self):
        threads = [threading.Thread(target=self.one, args=(seed,)) for seed in range(self.request["clients"])]
        for thread in threads:
            thread.start()
        self.signed_in.wait()
        start = time.perf_counter()
        self.end = start + self.request["seconds"]
        self.go.wait()
        for thread in threads:
            thread.join()
        return self.answer(time.perf_counter() - start)

    def answer(self, wall):
        ordered = sorted(self.latencies)
        at = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else None
        return {
            "queries": len(ordered),
            "errors": len(self.errors),
            "rate": len(ordered) / wall,
            "p50_ms": at(0.5),
            "p99_ms": at(0.99),
            "first_error": self.errors[0] if self.errors else None,
        }


client.answer(lambda request: Load(request).run())
