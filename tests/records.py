"""Records for tests, everything but what matters given."""

from schemas import SENTIMENT, Contract
from schemas.headers import Headers
from worker.progress import PartitionProgress
from worker.records import Incoming


def incoming(
    value: bytes | None = b'{"text": "fine"}',
    *,
    contract: Contract = SENTIMENT,
    topic: str = "nlp.sentiment.requests",
    partition: int = 0,
    offset: int = 0,
    key: bytes | None = None,
    headers: Headers = (),
    timestamp_ms: int = 1_700_000_000_000,
) -> Incoming:
    """Return a record as an agent would take it."""
    return Incoming(contract, topic, partition, offset, key, value, headers, timestamp_ms, PartitionProgress())
