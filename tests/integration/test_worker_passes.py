"""What the encoder computes: one pass for all heads of a text, and one for equal texts in flight."""

import pytest

from schemas import codec
from schemas.document import DocumentRequest
from schemas.ner import NerRequest
from schemas.sentiment import SentimentRequest
from tests.integration.caller import Caller, Sending
from tests.integration.workers import NewWorker, WorkerProcess

pytestmark = pytest.mark.anyio

OFFICE = "Apple Inc. is planning to open a new office in London."
COPIES = 64


async def _rows(worker: WorkerProcess) -> float:
    return await worker.metric("nlp_encoder_rows_total")


def _document(caller: Caller, **fields: object) -> Sending:
    return Sending(caller.topics.documents, codec.encode(DocumentRequest.model_validate({"text": OFFICE, **fields})))


async def test_all_heads_of_a_text_cost_one_row(caller: Caller, new_worker: NewWorker) -> None:
    worker = new_worker("worker")
    worker.start()
    await worker.ready()

    costs = []
    for sending in (
        _document(caller, tasks=["sentiment"]),
        _document(caller, tasks=["sentiment", "ner"]),
        _document(caller, tasks=[], questions=["Where is the office?"]),
        _document(caller, questions=["Where is the office?", "Who opens it?", "Where is the office?"]),
    ):
        before = await _rows(worker)
        await caller.send([sending])
        await caller.settled()
        costs.append(await _rows(worker) - before)

    # A question is read together with the text, so each different one is a pass of its own.
    assert costs == [1, 1, 1, 3]


async def test_equal_texts_in_flight_are_computed_once(caller: Caller, new_worker: NewWorker) -> None:
    text = f"{OFFICE} " * 200
    asked = [
        Sending(caller.topics.sentiment_requests, codec.encode(SentimentRequest(text=text)), partition=0),
        Sending(caller.topics.ner_requests, codec.encode(NerRequest(text=text)), partition=0),
    ]
    await caller.send([each for each in asked for _ in range(COPIES // 2)])
    worker = new_worker("worker")

    worker.start()
    await caller.settled()

    shared = await worker.metric("nlp_shared_passages_total")
    computed = COPIES - shared
    assert len(await caller.outputs()) == COPIES
    assert computed <= COPIES / 4
    rows = await _rows(worker)
    assert rows % computed == 0, "every computation has the same windows"
    assert rows / computed > 1
