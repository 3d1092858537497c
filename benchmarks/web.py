"""Round trips over HTTP at light load: one caller, one request after another, with pauses."""

import http.client
import json
import time
from collections.abc import Sequence

from local.broker import HOST

ROUTES = ("sentiment", "ner", "document")
INTERVAL_S = 0.05
WARM_UP = 10
"""First requests that are not counted: they open connections and load code."""


class RefusedRequest(RuntimeError):
    """The gateway answered something else than 200."""


def round_trips(port: int, texts: Sequence[str]) -> list[float]:
    """Return the seconds of each round trip, the routes in turn, twenty requests a second."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    times_s = []
    for number, text in enumerate(texts):
        begun = time.perf_counter()
        body = json.dumps({"text": text})
        route = f"/predict/{ROUTES[number % len(ROUTES)]}"
        connection.request("POST", route, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        took_s = time.perf_counter() - begun
        if answer.status != http.client.OK:
            raise RefusedRequest(f"{route} answered {answer.status}")
        times_s.append(took_s)
        time.sleep(max(0.0, INTERVAL_S - took_s))
    connection.close()
    return times_s[WARM_UP:]
