"""The protocol of the Python clients, and one vocabulary for their answers.

One JSON command per input line: {"do": verb, ...arguments}; one JSON answer per output line: {"value": ...} or {"error": {"type", "message"}}.
Tables come back as {"columns": [[name, Arrow type]...], "rows": [[value...]...]} in one vocabulary for every client (see `plain`), so that answers
compare by equality. The arguments name the modules whose verbs are served.
"""
import datetime
import decimal
import importlib
import json
import math
import os
import sys
import uuid

SAFE_INTEGER = 2**53 - 1
VERBS = {}


def verb(function):
    VERBS[function.__name__] = function
    return function


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
    """Of an Arrow table or reader."""
    if hasattr(table, "read_all"):
        table = table.read_all()
    columns = [[field.name, str(field.type)] for field in table.schema]
    return {"columns": columns, "rows": [list(row) for row in zip(*([plain(v) for v in column.to_pylist()] for column in table.columns))]}


def schema_facts(schema):
    return [[field.name, str(field.type), field.nullable] for field in schema]


def literal(text):
    """A Python expression of a test, for values that JSON has not."""
    return eval(text, {"datetime": datetime, "Decimal": decimal.Decimal, "UUID": uuid.UUID})  # noqa: S307


def serve():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints must not break the protocol
    sys.modules["lines"] = sys.modules["__main__"]  # the modules below register their verbs here
    for module in sys.argv[1:]:
        importlib.import_module(module)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"value": VERBS[request["do"]](request)}
        except Exception as error:  # every failure is an answer
            reply = {"error": {"type": type(error).__name__, "message": str(error)}}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
