"""`python -m benchmarks.continuity`: a steady load on a running system, and the count of what became of every record.

Restart what you like meanwhile. In the end it says how many records were answered, how many more than once, how many
became dead letters, whether any came out of order or not at all, and how long nothing came; 1 when one is missing.
"""

import argparse
import asyncio
import logging
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from benchmarks.texts import draw_texts
from schemas import CONTRACTS, AnyRequest, Contract, KafkaConnection, Topics, codec, headers
from schemas.qa import QaRequest

KEYS = 16
_TEXTS = 200
_BROKER_BACK_MS = 120_000
"""The load outlives any restart of the broker: what is missing then was lost by the workers."""
_POLL_MS = 200


@dataclass
class Account:
    """What was sent and what came of it; ids are `run/key/number within the key`."""

    run: str
    sent_at: dict[str, float] = field(default_factory=dict)
    seen_at: dict[str, float] = field(default_factory=dict)
    repeated: int = 0
    out_of_order: int = 0
    dead_letters: dict[str, str] = field(default_factory=dict)
    _highest: dict[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> set[str]:
        """What was sent and has no outcome yet."""
        return self.sent_at.keys() - self.seen_at.keys() - self.dead_letters.keys()

    def send(self, record_id: str, now: float) -> None:
        """Note a record that the broker has confirmed or is about to."""
        self.sent_at[record_id] = now

    def receive(self, record_id: str, code: str | None, now: float) -> None:
        """Note an outcome, `code` being that of a dead letter; those of other runs do not count."""
        if record_id not in self.sent_at:
            return
        if record_id in self.seen_at or record_id in self.dead_letters:
            self.repeated += 1
        elif code is not None:
            self.dead_letters[record_id] = code
        else:
            self.seen_at[record_id] = now
            _, key, number = record_id.rsplit("/", 2)
            self.out_of_order += int(number) < self._highest.get(key, -1)
            self._highest[key] = max(int(number), self._highest.get(key, -1))

    def delays_s(self) -> list[float]:
        """Return the seconds from sent to seen of all that was answered, in rising order."""
        return sorted(seen - self.sent_at[record_id] for record_id, seen in self.seen_at.items())

    def longest_silence_s(self) -> float:
        """Return the longest time between two answers."""
        times = sorted(self.seen_at.values())
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


def render(account: Account, seconds: float) -> str:
    """Return the report."""
    sent, delays = len(account.sent_at), account.delays_s()
    codes = ", ".join(sorted(set(account.dead_letters.values())))
    lines = [
        f"sent          {sent} records in {seconds:.0f} s, {sent / seconds:.0f} a second",
        f"answered      {len(account.seen_at)}",
        f"dead letters  {len(account.dead_letters)} {codes}".rstrip(),
        f"missing       {len(account.missing)}",
        f"repeated      {account.repeated}",
        f"out of order  {account.out_of_order}",
    ]
    if delays:
        lines.append(f"delay         median {delays[len(delays) // 2]:.2f} s, longest {delays[-1]:.2f} s")
        lines.append(f"silence       longest {account.longest_silence_s():.2f} s")
    return "\n".join(lines)


async def measure(connection: KafkaConnection, topics: Topics, rate: float, seconds: float, quiet_s: float) -> Account:
    """Return the account of `rate` records a second for `seconds`, read until nothing came for `quiet_s`."""
    account = Account(uuid.uuid4().hex[:8])
    async with _clients(connection, topics) as (producer, consumer):
        reading = asyncio.create_task(_read(consumer, account))
        try:
            await _send(producer, topics, account, rate, seconds)
            await _until_quiet(account, quiet_s)
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
    return account


@asynccontextmanager
async def _clients(
    connection: KafkaConnection, topics: Topics
) -> AsyncIterator[tuple[AIOKafkaProducer, AIOKafkaConsumer]]:
    options = connection.client_options()
    consumer = AIOKafkaConsumer(**options)
    producer = AIOKafkaProducer(
        **options, enable_idempotence=True, acks="all", linger_ms=5, request_timeout_ms=_BROKER_BACK_MS
    )
    async with consumer, producer:
        outputs = [*(contract.results(topics) for contract in CONTRACTS), topics.dead_letters]
        partitions = [
            TopicPartition(topic, number) for topic in outputs for number in await producer.partitions_for(topic)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        yield producer, consumer


async def _send(producer: AIOKafkaProducer, topics: Topics, account: Account, rate: float, seconds: float) -> None:
    texts, begun = draw_texts(_TEXTS), time.monotonic()
    stored: list[asyncio.Future[object]] = []
    for number in range(round(rate * seconds)):
        await asyncio.sleep(begun + number / rate - time.monotonic())
        key = number % KEYS
        contract = CONTRACTS[key % len(CONTRACTS)]
        record_id = f"{account.run}/{key}/{number // KEYS}"
        value = codec.encode(_request(contract, record_id, texts, number))
        account.send(record_id, time.monotonic())
        stored.append(await producer.send(contract.requests(topics), value, str(key).encode()))
    await asyncio.gather(*stored)


def _request(contract: Contract, record_id: str, texts: Sequence[str], number: int) -> AnyRequest:
    # No text is twice in flight: equal ones are computed once.
    text = f"{number}. {texts[number % len(texts)]}"
    if contract.request_type is QaRequest:
        return QaRequest(id=record_id, context=text, question="Who said so?")
    return contract.request_type.model_validate({"id": record_id, "text": text})


async def _read(consumer: AIOKafkaConsumer, account: Account) -> None:
    while True:
        try:
            found = await consumer.getmany(timeout_ms=_POLL_MS)
        except KafkaError:
            continue  # a broker that restarts; whatever it holds is read when it is back
        now = time.monotonic()
        for record in (record for batch in found.values() for record in batch):
            account.receive(_text(record, headers.ID) or "", _text(record, headers.ERROR_CODE), now)


def _text(record: ConsumerRecord, name: str) -> str | None:
    value = headers.first(record.headers, name)
    return None if value is None else value.decode()


async def _until_quiet(account: Account, quiet_s: float) -> None:
    left, changed_at = account.missing, time.monotonic()
    while left and time.monotonic() < changed_at + quiet_s:
        await asyncio.sleep(_POLL_MS / 1000)
        if account.missing != left:
            left, changed_at = account.missing, time.monotonic()


def main() -> int:
    """Return the exit status: 0 when every record has its outcome."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.continuity", description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="records a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long records are sent")
    parser.add_argument("--quiet-s", type=float, default=60.0, help="give up when nothing came for so long")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    account = asyncio.run(measure(KafkaConnection(), Topics(), given.rate, given.seconds, given.quiet_s))
    print(render(account, given.seconds))
    return 1 if account.missing else 0


if __name__ == "__main__":
    sys.exit(main())
