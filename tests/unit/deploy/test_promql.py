"""The check of labels finds what Prometheus would answer with silence."""

import promql_parser
import pytest

from tests.unit.deploy.promql import PromqlError, Question, labels_of, questions, selectors

KNOWN = {
    "ready": frozenset({"job", "instance"}),
    "took_seconds_bucket": frozenset({"job", "instance", "task", "le"}),
    "lag": frozenset({"job", "instance", "topic", "partition"}),
}


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.where)
def test_every_expression_parses(question: Question) -> None:
    assert selectors(promql_parser.parse(question.expr))


@pytest.mark.parametrize(
    ("expr", "labels"),
    [
        ("ready == 0", {"job", "instance"}),
        ("sum(ready)", set()),
        ("sum by (topic) (lag)", {"topic"}),
        ("topk(3, lag)", {"job", "instance", "topic", "partition"}),
        ("sum without (partition) (lag)", {"job", "instance", "topic"}),
        ("histogram_quantile(0.9, sum by (le, task) (rate(took_seconds_bucket[5m])))", {"task"}),
        ("sum by (topic) (lag) / sum by (topic) (lag offset 5m) > 3", {"topic"}),
        ("absent(ready{job='worker'} == 1)", set()),
    ],
)
def test_labels_are_found(expr: str, labels: set[str]) -> None:
    assert labels_of(promql_parser.parse(expr), KNOWN) == labels


@pytest.mark.parametrize(
    ("expr", "wrong"),
    [
        ("redy == 0", "nobody exposes redy"),
        ("ready{task='ner'}", "no label task"),
        ("sum by (topic) (ready)", "no label topic"),
        ("histogram_quantile(0.9, sum by (task) (rate(took_seconds_bucket[5m])))", "no label le"),
        ("sum by (topic) (lag) / sum by (partition) (lag)", "never match"),
        ("lag / on (task) took_seconds_bucket", "no label task"),
    ],
)
def test_silence_is_found(expr: str, wrong: str) -> None:
    with pytest.raises(PromqlError, match=wrong):
        labels_of(promql_parser.parse(expr), KNOWN)
