"""One HTTP connection: uvicorn's own, with what it leaves unbounded.

uvicorn waits without limit for a request's first byte, for the rest of its head, for what is left of a body after the
answer, and for a caller that does not read; its limit of connections counts them and takes them all in. Here a request
that is not there in time ends its connection, and so does an answer that nobody takes; a connection above the limit
serves one request, of which only operators' are answered, and twice the limit is the end. A caller that is refused
while it is sending gets the answer.
"""

from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import ClassVar

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.errors import MEDIA_TYPE, Problem, status_problem
from gateway.lingering import LingeringTransport
from gateway.securing import security_headers
from gateway.settings import Settings

_ABOVE_LIMIT = "connection_is_above_limit"


class Connection(H11Protocol):
    """The protocol of one connection; `connection_type` fills in its limits."""

    receive_s: ClassVar[float]
    max_connections: ClassVar[int]
    headers_of_all: ClassVar[dict[str, str]]

    # uvicorn too takes the narrower transport that asyncio hands to TCP servers.
    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        self._lingering = LingeringTransport(transport, self._is_caller_sending, self.receive_s)
        super().connection_made(self._lingering)
        self._late = self.loop.call_later(self.receive_s, self._on_late)
        self._is_waiting = True
        self._unread: TimerHandle | None = None
        self._is_above_limit = len(self.connections) > self.max_connections
        if self._is_above_limit:
            self.app_state = {**self.app_state, _ABOVE_LIMIT: True}
        if len(self.connections) > 2 * self.max_connections:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take the bytes in, and wait for the rest of the request where there is one."""
        if self._lingering.is_lingering:
            return
        super().data_received(data)
        if self._is_above_limit and self.cycle is not None:
            self.cycle.keep_alive = False
        # From its first byte on: every further one would otherwise buy a slow caller more time.
        is_waiting = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if is_waiting and not self._is_waiting:
            self._late = self.loop.call_later(self.receive_s, self._on_late)
        elif self._is_waiting and not is_waiting:
            self._late.cancel()
        self._is_waiting = is_waiting

    def connection_lost(self, exc: Exception | None) -> None:
        """End the waiting."""
        self._late.cancel()
        self._lingering.stop()
        super().connection_lost(exc)
        self._stop_unread()

    def pause_writing(self) -> None:
        """Begin to wait until the caller has taken what was sent."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.receive_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on with the answer."""
        self._stop_unread()
        super().resume_writing()

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or more of it than a head may have, with a problem."""
        self._refuse(status_problem(HTTPStatus.BAD_REQUEST, msg))

    def _on_late(self) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # The app has the same deadline for a body, and is about to answer.
            self._late = self.loop.call_later(self.receive_s, self._on_late)
        elif self.conn.trailing_data[0]:
            self._refuse(status_problem(HTTPStatus.REQUEST_TIMEOUT, f"no request within {self.receive_s:g} s"))
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer where an answer can still be sent, and close the connection in any case."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = problem.model_dump_json(exclude_none=True).encode()
            own = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close"}
            headers = [(name.encode(), value.encode()) for name, value in (self.headers_of_all | own).items()]
            head = h11.Response(status_code=problem.status, headers=headers, reason=HTTPStatus(problem.status).phrase)
            events = (head, h11.Data(data=body), h11.EndOfMessage())
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        if self.cycle is not None and not self.cycle.response_complete:
            # The app is not to answer too, nor to wait for the rest of what is no request.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _is_caller_sending(self) -> bool:
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR) or bool(self.conn.trailing_data[0])


def connection_type(settings: Settings) -> type[Connection]:
    """Return the protocol with the limits of the settings."""
    limits = {
        "receive_s": settings.receive_s,
        "max_connections": settings.max_connections,
        "headers_of_all": security_headers(settings.hsts_s),
    }
    return type("LimitedConnection", (Connection,), limits)


def is_above_limit(scope: Scope) -> bool:
    """Return whether a request came over a connection more than is allowed."""
    return _ABOVE_LIMIT in scope.get("state", {})
