"""Every PromQL expression that we ship, and the labels it works on."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import promql_parser
import yaml

RULE_FILES = sorted(Path("deploy/prometheus/rules").glob("*.yml"))
DASHBOARDS = sorted(Path("deploy/grafana/dashboards").glob("*.json"))

_GRAFANA = {"$__rate_interval": "5m", "$__range": "1h", "$worker": ".+"}
_LABEL_VALUES = re.compile(r"label_values\((?P<expr>.+), *(?P<label>\w+)\)")
_KEEPS_LABELS = ("topk", "bottomk")

Labels = frozenset[str]


class PromqlError(Exception):
    """A name that nobody exposes, or labels that are not there."""


@dataclass(frozen=True, slots=True)
class Question:
    """An expression, where it stands, and the labels that the text around it takes from its answer."""

    where: str
    expr: str
    shown: Labels = frozenset()


def recordings() -> dict[str, str]:
    """Return what is recorded, name to expression, in the order of the files."""
    return {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}


def questions() -> list[Question]:
    """Return all expressions of rules and dashboards."""
    return [*_rule_questions(), *(each for path in DASHBOARDS for each in _dashboard_questions(path))]


def _rules() -> list[dict[str, str]]:
    groups = [group for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def _rule_questions() -> Iterator[Question]:
    for rule in _rules():
        shown = re.findall(r"\$labels\.(\w+)", json.dumps(rule.get("annotations", {})))
        yield Question(rule.get("alert") or rule["record"], rule["expr"], frozenset(shown))


def _dashboard_questions(path: Path) -> Iterator[Question]:
    dashboard = json.loads(path.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            shown = re.findall(r"{{(\w+)}}", target["legendFormat"])
            yield Question(f"{path.name}: {panel['title']}", _plain(target["expr"]), frozenset(shown))
    for variable in dashboard["templating"]["list"]:
        if asked := _LABEL_VALUES.fullmatch(variable.get("query", "")):
            yield Question(f"{path.name}: ${variable['name']}", asked["expr"], frozenset({asked["label"]}))
    for annotation in dashboard["annotations"].get("list", []):
        if "expr" in annotation:
            yield Question(f"{path.name}: {annotation['name']}", annotation["expr"])


def _plain(expr: str) -> str:
    for variable, value in _GRAFANA.items():
        expr = expr.replace(variable, value)
    return expr


def selectors(expr: promql_parser.Expr) -> list[promql_parser.VectorSelector]:
    """Return every selector of series in an expression."""
    found: list[promql_parser.VectorSelector] = []

    def note(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector) and node not in found:
            found.append(node)
        return True

    promql_parser.walk(expr, note)
    return found


def labels_of(expr: promql_parser.Expr, known: Mapping[str, Labels]) -> Labels:
    """Return the labels of an expression's answer, from those of the metrics in it; raises `PromqlError`."""
    match expr:
        case promql_parser.VectorSelector():
            return _of_selector(expr, known)
        case promql_parser.MatrixSelector():
            return _of_selector(expr.vector_selector, known)
        case promql_parser.ParenExpr() | promql_parser.SubqueryExpr() | promql_parser.UnaryExpr():
            return labels_of(expr.expr, known)
        case promql_parser.AggregateExpr():
            return _of_aggregate(expr, labels_of(expr.expr, known))
        case promql_parser.Call():
            return _of_call(expr, known)
        case promql_parser.BinaryExpr():
            return _of_binary(expr, known)
    return frozenset()


def _of_selector(selector: promql_parser.VectorSelector, known: Mapping[str, Labels]) -> Labels:
    if selector.name is None or selector.name not in known:
        raise PromqlError(f"nobody exposes {selector.name}")
    labels = known[selector.name]
    _demand({matcher.name for matcher in selector.matchers.matchers}, labels, selector)
    return labels


def _of_aggregate(expr: promql_parser.AggregateExpr, labels: Labels) -> Labels:
    if expr.modifier is None:
        return labels if str(expr).startswith(_KEEPS_LABELS) else frozenset()
    named = frozenset(expr.modifier.labels)
    _demand(named, labels, expr)
    return named if expr.modifier.type == promql_parser.AggModifierType.By else labels - named


def _of_call(expr: promql_parser.Call, known: Mapping[str, Labels]) -> Labels:
    labels = frozenset[str]().union(*(labels_of(argument, known) for argument in expr.args))
    if expr.func.name == "absent":
        return frozenset()
    if expr.func.name == "histogram_quantile":
        _demand({"le"}, labels, expr)
        return labels - {"le"}
    return labels


def _of_binary(expr: promql_parser.BinaryExpr, known: Mapping[str, Labels]) -> Labels:
    left, right = labels_of(expr.lhs, known), labels_of(expr.rhs, known)
    for side in (expr.lhs, expr.rhs):
        if isinstance(side, promql_parser.NumberLiteral):
            return left | right
    matching = expr.modifier.matching if expr.modifier is not None else None
    if matching is not None:
        _demand(matching.labels, left & right, expr)
    elif left != right:
        # Series are paired by all their labels: where these differ, the answer is always empty.
        raise PromqlError(f"{sorted(left)} never match {sorted(right)}: {expr}")
    return left


def _demand(named: "set[str] | Labels | list[str]", labels: Labels, expr: object) -> None:
    if missing := set(named) - labels:
        raise PromqlError(f"no label {', '.join(sorted(missing))}: {expr}")
