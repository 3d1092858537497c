"""Closes a connection so that its caller still gets the answer: RFC 9112 §9.6."""

from asyncio import TimerHandle, Transport, get_running_loop
from collections.abc import Callable
from typing import Any


class LingeringTransport(Transport):
    """A transport whose `close` ends only our side while the caller is still sending.

    Closing at once would have the kernel answer what still comes with a reset, and that takes the answer from whoever
    has not read it yet. So the rest is taken in, for `linger_s` seconds at most; the protocol throws it away.
    """

    def __init__(self, inner: Transport, is_caller_sending: Callable[[], bool], linger_s: float) -> None:
        super().__init__()
        self._inner = inner
        self._is_caller_sending = is_caller_sending
        self._linger_s = linger_s
        self._end: TimerHandle | None = None

    @property
    def is_lingering(self) -> bool:
        """Whether our side has ended and what comes is to be thrown away."""
        return self._end is not None

    def is_closing(self) -> bool:
        """Return whether nothing can be sent any more."""
        return self.is_lingering or self._inner.is_closing()

    def close(self) -> None:
        """Send what is left and end our side, then the connection: at once, or when the caller has ended its own."""
        if self.is_closing():
            return
        # TLS has no half-closed connections.
        if not (self._is_caller_sending() and self._inner.can_write_eof()):
            self._inner.close()
            return
        try:
            self._inner.write_eof()
        except OSError:
            # The caller has gone.
            self._inner.abort()
            return
        self._inner.resume_reading()
        self._end = get_running_loop().call_later(self._linger_s, self._inner.close)

    def stop(self) -> None:
        """Wait no longer: the connection is lost."""
        if self._end is not None:
            self._end.cancel()

    def abort(self) -> None:
        """Close at once, whatever is left to send."""
        self._inner.abort()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; nothing is sent after `close`."""
        if not self.is_closing():
            self._inner.write(data)

    def pause_reading(self) -> None:
        """Take nothing in."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Take in again what comes."""
        self._inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection."""
        return self._inner.get_extra_info(name, default)
