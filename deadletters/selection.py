"""Which dead letters are meant: by code, by the topic they came from, by where they stand."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deadletters.letters import Letter

_POSITIONS = re.compile(r"(\d{1,9})@(\d{1,18})(?:-(\d{1,18})?)?")


@dataclass(frozen=True, slots=True)
class Positions:
    """Offsets of one partition of the dead-letter topic, `last` included; None is the end."""

    partition: int
    first: int
    last: int | None

    def __str__(self) -> str:
        if self.last == self.first:
            return f"{self.partition}@{self.first}"
        return f"{self.partition}@{self.first}-{'' if self.last is None else self.last}"

    def holds(self, partition: int, offset: int) -> bool:
        """Whether a letter stands there."""
        return partition == self.partition and self.first <= offset and (self.last is None or offset <= self.last)


def parse_positions(text: str) -> Positions:
    """Return the positions that `3@17`, `3@17-40` or `3@17-` name; raises `ValueError`."""
    match = _POSITIONS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text}: not of the form 3@17, 3@17-40 or 3@17-")
    partition, first, last = match.groups()
    ends = last if "-" in text else first
    if ends is not None and int(ends) < int(first):
        raise ValueError(f"{text}: ends before it begins")
    return Positions(int(partition), int(first), None if ends is None else int(ends))


@dataclass(frozen=True, slots=True)
class Selection:
    """What a letter must be; an empty part asks for nothing, and of several values one is enough."""

    codes: Sequence[str] = ()
    sources: Sequence[str] = ()
    positions: Sequence[Positions] = ()

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is meant."""
        return (
            (not self.codes or letter.code in self.codes)
            and (not self.sources or (letter.source is not None and letter.source.topic in self.sources))
            and (not self.positions or any(each.holds(letter.partition, letter.offset) for each in self.positions))
        )

    def range_of(self, partition: int, beginning: int, end: int) -> range:
        """Return the offsets of a partition that need reading, of those from `beginning` up to before `end`."""
        if not self.positions:
            return range(beginning, end)
        ours = [each for each in self.positions if each.partition == partition]
        if not ours:
            return range(0)
        first = min(each.first for each in ours)
        lasts = [end - 1 if each.last is None else each.last for each in ours]
        return range(max(first, beginning), min(max(lasts) + 1, end))
