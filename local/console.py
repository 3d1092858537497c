"""What a local run prints: its own words, and the logs of its processes under their names."""

import sys
import threading
from typing import TextIO

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_OWN = "local"


class Console:
    """Whole lines from many threads onto one stream, each behind the name of who said it, coloured on a terminal."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._colours: dict[str, int] = {}
        self._is_open = True

    def say(self, text: str) -> None:
        """Print our own words; each line of them."""
        for line in text.splitlines():
            self.line(_OWN, line)

    def line(self, name: str, text: str) -> None:
        """Print one line under a name."""
        with self._lock:
            if self._is_open:
                self._write(f"{self._paint(name, f'{name:<9}|')} {text}\n")

    def plain(self, text: str) -> None:
        """Print text as it is, to be copied from."""
        with self._lock:
            if self._is_open:
                self._write(f"{text}\n")

    def _paint(self, name: str, prefix: str) -> str:
        if not self._stream.isatty():
            return prefix
        colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
        return f"\x1b[{colour}m{prefix}\x1b[0m"

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # The terminal is gone. Raising would end the threads that empty the processes' pipes, and a process
            # whose pipe is full stands still instead of stopping.
            self._is_open = False
