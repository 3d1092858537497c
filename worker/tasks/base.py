"""What every task does: a request to passages, their logits to a result."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import numpy as np

from schemas import AnyRequest, Contract, Manifest, Record
from worker.arrays import Floats2d, Ints1d
from worker.encoder import WindowLogits
from worker.tokenizer import Passage, Reading

RequestT = TypeVar("RequestT", bound=AnyRequest)
ResultT = TypeVar("ResultT", bound=Record)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A passage that went through the encoder: its reading, and the logits of each of its windows."""

    reading: Reading
    logits: tuple[WindowLogits, ...]


class Task(ABC, Generic[RequestT, ResultT]):
    """One thing that can be asked: see `schemas.contracts`."""

    contract: ClassVar[Contract]

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest

    @abstractmethod
    def passages(self, request: RequestT) -> list[Passage]:
        """Return what must be read to answer; equal passages cost one pass."""

    @abstractmethod
    def decode(self, record_id: str, request: RequestT, encoded: list[Encoded]) -> ResultT:
        """Return the result, from the passages in the order of `passages`."""


def merge_windows(reading: Reading, per_window: list[Floats2d]) -> tuple[Floats2d, Ints1d]:
    """Return one row of logits a text token, and the number of the window it came from.

    `per_window` holds (tokens of the row, labels) for each window. Where windows overlap a token is taken from the
    window that shows more of its surroundings: the one whose edge is farther away.
    """
    parts = [
        logits[window.text_at : window.text_at + window.count]
        for window, logits in zip(reading.windows, per_window, strict=True)
    ]
    owners = np.zeros(len(reading.starts), np.int64)
    if len(parts) == 1:
        return parts[0], owners
    for number, (left, right) in enumerate(zip(reading.windows, reading.windows[1:], strict=False), start=1):
        owners[(right.first + left.first + left.count) // 2 :] = number
    merged = np.empty((len(owners), parts[0].shape[1]), np.float32)
    for number, (window, part) in enumerate(zip(reading.windows, parts, strict=True)):
        tokens = np.flatnonzero(owners == number)
        merged[tokens] = part[tokens - window.first]
    return merged, owners
