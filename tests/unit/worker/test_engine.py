import numpy as np
import pytest

from schemas import SentimentRequest
from tests.records import incoming
from tests.worker_fixtures import RuleEncoder
from worker.batching import Batch
from worker.engine import Engine, EngineError
from worker.inquiries import Computation, Inquiry, PassagesInFlight, WaitingWindow
from worker.metrics import Metrics
from worker.tasks.sentiment import SentimentTask
from worker.tokenizer import Passage, Tokenizer


def _begin(
    passages: PassagesInFlight, tokenizer: Tokenizer, text: str, deadline_ms: int | None = None
) -> list[WaitingWindow]:
    task = SentimentTask.__new__(SentimentTask)
    inquiry = Inquiry(incoming(), "id", task, SentimentRequest(text=text), deadline_ms)
    (computation,) = passages.join(inquiry, [Passage(text)])
    return computation.set_reading(tokenizer.read(computation.passage))


def _engine(tokenizer: Tokenizer, encoder: RuleEncoder) -> tuple[Engine, PassagesInFlight]:
    passages = PassagesInFlight()
    probe = tokenizer.read(Passage("probe")).windows[0]
    return Engine(encoder, passages, Metrics(), probe), passages  # type: ignore[arg-type]


def _holds(token: int) -> RuleEncoder:
    def fails_on(batch: Batch) -> bool:
        return bool(np.any(batch.input_ids == token))

    return RuleEncoder(fails_on)


def _token(tokenizer: Tokenizer, word: str) -> int:
    return int(tokenizer.read(Passage(word)).windows[0].input_ids[1])


def test_one_poison_window_in_64_fails_alone(tokenizer: Tokenizer) -> None:
    encoder = _holds(_token(tokenizer, "poison"))
    engine, passages = _engine(tokenizer, encoder)
    texts = [f"text {number}" for number in range(63)]
    texts.insert(37, "some poison here")
    waiting = [window for text in texts for window in _begin(passages, tokenizer, text)]

    finished = engine.run(waiting)

    failed = [each for each in finished if each.error is not None]
    assert len(finished) == 64
    assert [each.passage.text for each in failed] == ["some poison here"]
    assert failed[0].error is not None
    assert failed[0].error.code == "internal_error"


def test_model_that_fails_on_everything_is_nobodys_record(tokenizer: Tokenizer) -> None:
    engine, passages = _engine(tokenizer, RuleEncoder(lambda batch: True))

    with pytest.raises(EngineError):
        engine.run(_begin(passages, tokenizer, "text"))


def test_passage_nobody_waits_for_is_dropped_before_inference(tokenizer: Tokenizer) -> None:
    encoder = RuleEncoder()
    engine, passages = _engine(tokenizer, encoder)
    late = _begin(passages, tokenizer, "late", deadline_ms=1)
    timely = _begin(passages, tokenizer, "timely")

    finished = engine.run([*late, *timely])

    codes = {each.passage.text: each.error and each.error.code for each in finished}
    assert codes == {"late": "expired", "timely": None}
    assert [len(batch.input_ids) for batch in encoder.batches] == [1]


def test_long_text_is_done_when_its_last_window_is(narrow_tokenizer: Tokenizer) -> None:
    engine, passages = _engine(narrow_tokenizer, RuleEncoder())
    first, *others = _begin(passages, narrow_tokenizer, "word " * 60)

    before: list[Computation] = list(engine.run([first]))
    after = list(engine.run(others))

    assert before == []
    assert [len(each.encoded.logits) for each in after] == [len(others) + 1]
