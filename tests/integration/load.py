"""Requests in number: of every task, with keys and ids in rising order, so that a loss or a swap shows."""

import asyncio
from collections.abc import Iterable
from typing import Self

from aiokafka.errors import KafkaError

from schemas import CONTRACTS, AnyRequest, Contract, Topics, codec
from schemas.document import DocumentRequest
from schemas.ner import NerRequest
from schemas.qa import QaRequest
from schemas.sentiment import SentimentRequest
from tests.integration.caller import Caller, Received, Sending, ids_of

KEYS = 8
_AHEAD = 200
"""Records that wait for the workers at any time: enough to fill their batches, soon done when the load ends."""
_CHUNK = 20
_POLL_S = 0.05
_STORY = (
    "The harbour office in Rotterdam reported on Monday that Maria Jansen of Northern Freight had signed the papers, "
    "and that the second ship would leave for Oslo as soon as the storm allowed. Nobody on the quay was pleased. "
)


def requests(topics: Topics, first: int, count: int) -> list[Sending]:
    """Return `count` requests from number `first` on; the id is `key/number within the key`, no text is twice."""
    return [_sending(topics, number) for number in range(first, first + count)]


def _sending(topics: Topics, number: int) -> Sending:
    key = number % KEYS
    contract = CONTRACTS[key % len(CONTRACTS)]
    request = _request(contract, f"{key}/{number // KEYS:05d}", f"Report {number}. {_STORY}")
    return Sending(contract.requests(topics), codec.encode(request), str(key).encode())


def _request(contract: Contract, record_id: str, text: str) -> AnyRequest:
    match contract.request_type:
        case request_type if request_type is QaRequest:
            return QaRequest(id=record_id, context=text, question="Where will the ship go?")
        case request_type if request_type is NerRequest:
            return NerRequest(id=record_id, text=text)
        case request_type if request_type is DocumentRequest:
            return DocumentRequest(id=record_id, text=text)
        case _:
            return SentimentRequest(id=record_id, text=text)


def sent_ids(records: Iterable[Sending]) -> list[str]:
    """Return the ids of requests."""
    return [codec.find_id(each.value) or "" for each in records]


def first_seen(outputs: Iterable[Received]) -> dict[bytes, list[str]]:
    """Return for each key the ids in the order in which they first came."""
    seen: dict[bytes, dict[str, None]] = {}
    for output, record_id in zip(outputs, ids_of(outputs), strict=True):
        seen.setdefault(output.key or b"", {}).setdefault(record_id or "")
    return {key: list(ids) for key, ids in seen.items()}


class Load:
    """Keeps the workers busy from enter to exit: some hundred records always wait."""

    def __init__(self, caller: Caller) -> None:
        self.sent: list[Sending] = []
        self._caller = caller
        self._is_over = asyncio.Event()
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over.set()
        await self._task

    async def _run(self) -> None:
        while not self._is_over.is_set():
            if await self._waiting() < _AHEAD:
                chunk = requests(self._caller.topics, len(self.sent), _CHUNK)
                self.sent += chunk
                await self._caller.send(chunk)
            else:
                await asyncio.sleep(_POLL_S)

    async def _waiting(self) -> int:
        try:
            return await self._caller.unfinished()
        except KafkaError:
            return _AHEAD  # no broker answers: whoever asks again will know
