"""The bundled sample is varied, and its faults are what their kind says."""

from collections import Counter

import pytest

from local.samples import Sample, read_samples
from local.show import show
from schemas import CONTRACTS, DOCUMENT, Limits, RecordError, Topics, codec

_TOPICS = Topics()
_CONTRACTS = {contract.requests(_TOPICS): contract for contract in CONTRACTS}
_SAMPLES = read_samples(_TOPICS)


def _fault(sample: Sample) -> str | None:
    try:
        codec.decode_request(sample.value, _CONTRACTS[sample.topic].request_type, Limits())
    except RecordError as error:
        return error.code
    return None


def test_every_request_topic_has_samples() -> None:
    assert {sample.topic for sample in _SAMPLES} == set(_TOPICS.inputs)


def test_ids_are_distinct() -> None:
    assert len({sample.id for sample in _SAMPLES}) == len(_SAMPLES) == 303


def test_faults_are_of_many_kinds_and_few() -> None:
    faults = Counter(fault for sample in _SAMPLES if (fault := _fault(sample)) is not None)

    assert set(faults) == {"malformed_record", "invalid_field", "empty_text", "text_too_long", "too_many_questions"}
    assert faults.total() == 29


@pytest.mark.parametrize("kind", ["long", "emoji", "right to left", "html", "odd characters", "with questions"])
def test_unusual_texts_are_valid_requests(kind: str) -> None:
    samples = [sample for sample in _SAMPLES if sample.kind == kind]

    assert samples
    assert [_fault(sample) for sample in samples] == [None] * len(samples)


def test_shown_text_keeps_entities_and_hides_control_characters() -> None:
    result = DOCUMENT.result_type.model_validate_json(
        '{"id": "a", "text": "In\\r\\nOslo\\u001b[31m", "entities": '
        '[{"text": "Oslo", "type": "LOC", "start_char": 4, "end_char": 8, "score": 0.9}]}'
    )

    shown = show(result, b"")

    assert shown.plain == "In  Oslo LOC·[31m"
