import pytest
from pydantic import ValidationError

from schemas import CONTRACTS, Topics, errors, generate


def test_json_schemas_are_those_of_the_code() -> None:
    written = {path.name: path.read_text() for path in generate.DIRECTORY.glob("*.json")}

    assert written == generate.schema_texts(), "stale: run `make schemas`"


def test_every_error_has_its_own_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.NlpError)]
    codes = [kind.code for kind in kinds if "code" in vars(kind)]

    assert len(codes) == len(set(codes))
    assert all(code in str(errors.__doc__) for code in codes)


def test_every_record_error_is_found_by_its_code() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and "code" in vars(kind)}

    assert set(errors.RECORD_ERRORS) == {kind for kind in kinds if issubclass(kind, errors.RecordError)}


def test_topic_names_follow_the_prefix() -> None:
    topics = Topics(prefix="x.")

    assert topics.sentiment_requests == "x.sentiment.requests"
    assert topics.dead_letters == "x.dead-letters"


def test_topic_can_be_named_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLP_TOPIC_ENRICHED", "out")

    topics = Topics()

    assert topics.enriched == "out"
    assert topics.documents == "nlp.documents"


def test_two_topics_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="same name"):
        Topics(enriched="a", replies="a")


def test_every_contract_has_topics_of_its_own() -> None:
    topics = Topics()
    names = [name for contract in CONTRACTS for name in (contract.requests(topics), contract.results(topics))]

    assert len(set(names)) == len(names)
    assert set(names) <= {spec.name for spec in topics.specs()}
