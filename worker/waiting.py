"""Windows waiting for the encoder: an idle engine takes at once what is there, and while it runs the next gather."""

from collections import deque
from collections.abc import Sequence
from threading import Condition

from worker.batching import Cost, cut
from worker.inquiries import WaitingWindow

PLAN_WINDOWS = 256
"""Windows cut into runs together: more pad less, but everything newer waits for all of them."""

PLAN_TOKENS = 32_768
"""The same bound for long windows: a second or two of work for one core, the longest that a newcomer waits for it."""


class WaitingWindows:
    """A queue that hands out batches; oldest plan first, so that nothing starves. Used by several threads at once."""

    def __init__(self, max_batch_tokens: int, cost: Cost) -> None:
        self._max_batch_tokens = max_batch_tokens
        self._cost = cost
        self._arrived: deque[WaitingWindow] = deque()
        self._runs: deque[list[WaitingWindow]] = deque()
        self._changed = Condition()
        self._is_closed = False

    def __len__(self) -> int:
        with self._changed:
            return len(self._arrived) + sum(map(len, self._runs))

    def put(self, windows: Sequence[WaitingWindow]) -> None:
        """Add windows."""
        with self._changed:
            self._arrived.extend(windows)
            self._changed.notify(len(windows))

    def take(self) -> list[WaitingWindow] | None:
        """Return the next run, waiting while there is none; None once closed."""
        with self._changed:
            while not self._runs and not self._arrived and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return None
            if not self._runs:
                self._plan()
            return self._runs.popleft()

    def close(self) -> None:
        """Let every `take` return None."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _plan(self) -> None:
        windows: list[WaitingWindow] = []
        tokens = 0
        while self._arrived and len(windows) < PLAN_WINDOWS and tokens < PLAN_TOKENS:
            windows.append(self._arrived.popleft())
            tokens += len(windows[-1].window)
        lengths = [len(each.window) for each in windows]
        for run in cut(lengths, self._max_batch_tokens, self._cost):
            self._runs.append([windows[position] for position in run])
