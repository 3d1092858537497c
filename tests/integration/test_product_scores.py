"""What a worker answers over Kafka is what the offline scoring judges, to the last digit of every score."""

import asyncio

import pytest
from rich.progress import Progress

from benchmarks.quality import answer
from benchmarks.stream import Unanswered
from schemas import KafkaConnection, Topics
from tests.integration.workers import NewWorker
from tests.model.labelled import ANSWERS, ENTITIES, SENTIMENTS, unmark
from training.data import LabelledText, Question
from training.sets import EntitySet, LabelledSet, QuestionSet, SentimentSet, TaggedText
from worker.bundle import Bundle
from worker.encoder import Encoder
from worker.inference import Inference

_SETS: tuple[LabelledSet, ...] = (
    SentimentSet("texts", [LabelledText(text, label) for text, label in SENTIMENTS]),
    EntitySet("sentences", [TaggedText(unmark(marked)[0], (), ()) for marked in ENTITIES]),
    QuestionSet("questions", [Question("", "", context, question, golds, ()) for context, question, golds in ANSWERS]),
)

pytestmark = pytest.mark.anyio


async def test_product_gives_the_results_of_offline_scoring(
    connection: KafkaConnection, fresh_topics: Topics, new_worker: NewWorker, bundle: Bundle
) -> None:
    worker = new_worker("worker")
    worker.start()
    await worker.ready()
    inference = Inference(bundle, Encoder(bundle.model, bundle.manifest.outputs))

    for labelled in _SETS:
        results = await answer(connection, fresh_topics, labelled, Progress(disable=True))
        offline = await asyncio.to_thread(inference.answer, labelled.contract, labelled.requests)

        assert [each.model_copy(update={"id": ""}) for each in results] == [
            each.model_copy(update={"id": ""}) for each in offline
        ]


async def test_dead_letter_is_no_score(
    connection: KafkaConnection, fresh_topics: Topics, new_worker: NewWorker
) -> None:
    worker = new_worker("worker")
    worker.start()
    await worker.ready()
    unreadable = SentimentSet("unreadable", [LabelledText("fine", "positive"), LabelledText("\u200b", "positive")])

    with pytest.raises(Unanswered, match="sentiment-1 became a dead letter"):
        await answer(connection, fresh_topics, unreadable, Progress(disable=True))
