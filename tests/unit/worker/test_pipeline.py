"""The pipeline with real threads and tokenizer; the encoder answers by rule."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas import DOCUMENT, NER, QA, SENTIMENT, EnrichedDocument, Limits, Manifest, SentimentResult, codec
from tests.records import incoming
from tests.worker_fixtures import RuleEncoder
from worker.metrics import Metrics
from worker.pipeline import Pipeline
from worker.records import Answered, Failed, Incoming, Outcome
from worker.tasks import build_tasks
from worker.tokenizer import Tokenizer

pytestmark = pytest.mark.anyio


class Outbox:
    """What the pipeline delivered, by record."""

    def __init__(self) -> None:
        self.outcomes: dict[Incoming, Outcome] = {}
        self.faults: list[BaseException] = []
        self.changed = asyncio.Event()

    def deliver(self, outcomes: list[tuple[Incoming, Outcome]]) -> None:
        for record, outcome in outcomes:
            assert record not in self.outcomes, "an outcome came twice"
            self.outcomes[record] = outcome
        self.changed.set()

    def fail(self, fault: BaseException) -> None:
        self.faults.append(fault)
        self.changed.set()

    async def of(self, records: list[Incoming]) -> list[Outcome]:
        async with asyncio.timeout(20):
            while not self.faults and any(record not in self.outcomes for record in records):
                self.changed.clear()
                await self.changed.wait()
        if self.faults:
            raise self.faults[0]
        return [self.outcomes[record] for record in records]


@asynccontextmanager
async def _running(
    tokenizer: Tokenizer, manifest: Manifest, encoder: RuleEncoder, metrics: Metrics | None = None
) -> AsyncIterator[tuple[Pipeline, Outbox]]:
    tasks = build_tasks(manifest)
    pipeline = Pipeline(tokenizer, encoder, tasks, Limits(), metrics or Metrics(), 512)  # type: ignore[arg-type]
    outbox = Outbox()
    pipeline.start(1, outbox.deliver, outbox.fail)
    try:
        yield pipeline, outbox
    finally:
        pipeline.stop()


def _value(name: str, metrics: Metrics) -> float:
    return metrics.registry.get_sample_value(name) or 0.0


async def test_every_record_has_one_outcome_and_its_mates_are_untouched(
    tokenizer: Tokenizer, manifest: Manifest, rule_encoder: RuleEncoder
) -> None:
    values = [b'{"text": "a fine day"}', b"not json", b'{"text": "another day", "id": "mine"}', None]
    records = [incoming(value, offset=offset) for offset, value in enumerate(values)]

    async with _running(tokenizer, manifest, rule_encoder) as (pipeline, outbox):
        for record in records:
            pipeline.submit(record)
        first, broken, second, null = await outbox.of(records)

    assert isinstance(first, Answered)
    assert codec.decode(first.value, SentimentResult).id == "nlp.sentiment.requests/0/0"
    assert isinstance(second, Answered)
    assert second.record_id == "mine"
    assert isinstance(broken, Failed)
    assert isinstance(null, Failed)
    assert [broken.error.code, null.error.code] == ["malformed_record"] * 2


async def test_document_costs_one_row_for_all_its_heads(
    tokenizer: Tokenizer, manifest: Manifest, rule_encoder: RuleEncoder
) -> None:
    metrics = Metrics()
    record = incoming(b'{"text": "a fine day", "tasks": ["sentiment", "ner"]}', contract=DOCUMENT)

    async with _running(tokenizer, manifest, rule_encoder, metrics) as (pipeline, outbox):
        pipeline.submit(record)
        (outcome,) = await outbox.of([record])

    assert isinstance(outcome, Answered)
    enriched = codec.decode(outcome.value, EnrichedDocument)
    assert enriched.sentiment is not None
    assert enriched.entities == []
    assert _value("nlp_encoder_rows_total", metrics) == 1


async def test_equal_texts_in_flight_are_computed_once(tokenizer: Tokenizer, manifest: Manifest) -> None:
    metrics = Metrics()
    records = [
        incoming(b'{"text": "the same"}', contract=contract, offset=offset)
        for offset, contract in enumerate([SENTIMENT, NER, DOCUMENT, SENTIMENT])
    ]
    encoder = RuleEncoder()

    async with _running(tokenizer, manifest, encoder, metrics) as (pipeline, outbox):
        # In one group, so that none is done before the next is read.
        pipeline._tokenise(records)
        outcomes = await outbox.of(records)

    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    assert _value("nlp_encoder_rows_total", metrics) == 1
    assert _value("nlp_shared_passages_total", metrics) == 3


async def test_windows_of_different_tasks_share_a_batch(tokenizer: Tokenizer, manifest: Manifest) -> None:
    values = {
        SENTIMENT: b'{"text": "one two three"}',
        NER: b'{"text": "four five six"}',
        QA: b'{"context": "a", "question": "b"}',
        DOCUMENT: b'{"text": "seven eight nine"}',
    }
    records = [incoming(value, contract=contract) for contract, value in values.items()]
    encoder = RuleEncoder()

    async with _running(tokenizer, manifest, encoder) as (pipeline, outbox):
        pipeline._tokenise(records)
        await outbox.of(records)

    warm_up, *batches = [len(batch.input_ids) for batch in encoder.batches]
    assert warm_up == 1
    assert max(batches) >= 3


async def test_expired_record_is_not_computed(
    tokenizer: Tokenizer, manifest: Manifest, rule_encoder: RuleEncoder
) -> None:
    record = incoming(headers=[("nlp-deadline", b"1000")])

    async with _running(tokenizer, manifest, rule_encoder) as (pipeline, outbox):
        pipeline.submit(record)
        (outcome,) = await outbox.of([record])

    assert isinstance(outcome, Failed)
    assert outcome.error.code == "expired"
    assert len(rule_encoder.batches) == 1  # the warm-up


async def test_text_without_tokens_is_refused_alone(
    tokenizer: Tokenizer, manifest: Manifest, rule_encoder: RuleEncoder
) -> None:
    records = [incoming(b'{"text": "\\u200b"}'), incoming(b'{"text": "fine"}', offset=1)]

    async with _running(tokenizer, manifest, rule_encoder) as (pipeline, outbox):
        pipeline._tokenise(records)
        empty, fine = await outbox.of(records)

    assert isinstance(empty, Failed)
    assert empty.error.code == "empty_text"
    assert isinstance(fine, Answered)


async def test_broken_model_is_told_to_the_worker(tokenizer: Tokenizer, manifest: Manifest) -> None:
    encoder = RuleEncoder(lambda batch: len(encoder.batches) > 1)

    async with _running(tokenizer, manifest, encoder) as (pipeline, outbox):
        pipeline.submit(incoming())
        with pytest.raises(Exception, match="every input"):
            await outbox.of([incoming()])


async def test_decoding_fault_is_one_records_dead_letter(
    tokenizer: Tokenizer, manifest: Manifest, rule_encoder: RuleEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError

    records = [incoming(contract=NER), incoming(contract=SENTIMENT)]
    monkeypatch.setattr("worker.tasks.ner.find_entities", explode)

    async with _running(tokenizer, manifest, rule_encoder) as (pipeline, outbox):
        for record in records:
            pipeline.submit(record)
        broken, fine = await outbox.of(records)

    assert isinstance(broken, Failed)
    assert broken.error.code == "internal_error"
    assert isinstance(fine, Answered)
