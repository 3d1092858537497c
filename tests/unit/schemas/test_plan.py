"""A plan creates, grows, keeps or refuses, and tells of drift without mending it."""

import pytest

from schemas import Topics
from schemas.cluster import Found
from schemas.plan import Action, Step, make_plan, topic_settings
from schemas.provision import TopicRefused, check_plan

TOPICS = Topics(partitions=6, reply_partitions=16, replication_factor=3)
SPEC = TOPICS.specs()[0]
SETTINGS = topic_settings(SPEC, 3)


def step_of(partitions: int, replication_factor: int = 3, **settings: str) -> Step:
    found = Found(partitions, replication_factor, SETTINGS | {k.replace("_", "."): v for k, v in settings.items()})
    return make_plan(TOPICS, {SPEC.name: found})[0]


def test_an_empty_cluster_gets_every_topic() -> None:
    plan = make_plan(TOPICS, {})

    assert [step.spec for step in plan] == list(TOPICS.specs())
    assert {step.action for step in plan} == {Action.CREATE}


@pytest.mark.parametrize(
    ("partitions", "action", "line"),
    [
        (6, Action.KEEP, "unchanged nlp.sentiment.requests: 6 partitions"),
        (2, Action.GROW, "grow      nlp.sentiment.requests: 2 → 6 partitions"),
        (7, Action.REFUSE, "refuse    nlp.sentiment.requests: 7 → 6 partitions, but Kafka cannot take partitions away"),
    ],
)
def test_partitions_are_added_and_never_taken_away(partitions: int, action: Action, line: str) -> None:
    step = step_of(partitions)

    assert (step.action, step.lines()) == (action, [line])


def test_a_plan_with_a_refusal_is_refused_as_a_whole() -> None:
    plan = make_plan(TOPICS, {SPEC.name: Found(7, 3, SETTINGS)})

    with pytest.raises(TopicRefused, match=r"nlp\.sentiment\.requests has 7, not 6\. Raise NLP_TOPIC_PARTITIONS"):
        check_plan(plan)


def test_drift_is_told_and_changes_nothing() -> None:
    step = step_of(6, replication_factor=1, retention_ms="1000")

    assert step.action is Action.KEEP
    assert step.lines()[1:] == [
        f"drift     {SPEC.name}: retention.ms is 1000, wanted {SPEC.retention_ms}",
        f"drift     {SPEC.name}: replication factor is 1, wanted 3",
    ]


def test_a_topic_as_it_should_be_has_no_drift() -> None:
    assert step_of(6).drift == {}
