"""Local TCP ports: is one free, does a broker answer on it."""

import os
import socket
import struct

from local.errors import PortTaken

_ANSWER_S = 2.0
# Kafka's Metadata request, version 1, for no topic: key 3, version, correlation id, no client id, empty array.
_METADATA = struct.pack(">hhihi", 3, 1, 1, -1, 0)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.create_server((host, 0)) as server:
        port: int = server.getsockname()[1]
    return port


def check_free(host: str, port: int, what: str, remedy: str) -> None:
    """Raise `PortTaken`, naming what wanted the port and what to do, when another process listens there."""
    try:
        # A port whose last connections still close counts as free, as it does for the servers we start.
        socket.create_server((host, port), reuse_port=False).close()
    except OSError as taken:
        reason = os.strerror(taken.errno or 0)
        raise PortTaken(f"port {port} on {host}, which {what} needs, is taken ({reason}). {remedy}") from taken


def broker_answers(host: str, port: int) -> bool:
    """Whether a Kafka broker there is ready: its metadata lists at least one broker that is not fenced."""
    try:
        with socket.create_connection((host, port), timeout=_ANSWER_S) as connection:
            connection.sendall(struct.pack(">i", len(_METADATA)) + _METADATA)
            answer = connection.makefile("rb").read(12)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0
