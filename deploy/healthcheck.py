"""`python healthcheck.py PORT PATH`: exit status 0 when this container's server answers 200 there, else 1 and why.

The standard library alone, and little of it: it runs every few seconds, and slim images hold no curl.
"""

import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT_S = 2.0


def problem(port: int, path: str) -> str | None:
    """Return what is wrong with the answer, None when nothing is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(1_000).decode(errors="replace")
    except (OSError, HTTPException) as fault:
        return f"no answer: {fault!r}"
    finally:
        connection.close()
    return None if answer.status == 200 else f"{answer.status} {text}"


if __name__ == "__main__":
    sys.exit(problem(int(sys.argv[1]), sys.argv[2]))
