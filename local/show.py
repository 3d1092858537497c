"""Outcomes as coloured text for a terminal."""

import unicodedata
from collections.abc import Iterable

from rich.text import Text

from schemas import Answer, EnrichedDocument, Entity, NerResult, QaRequest, QaResult, Record, SentimentResult, codec

_MAX_CHARS = 240
_COLOURS = {"PER": "bold magenta", "ORG": "bold cyan", "LOC": "bold yellow", "MISC": "bold blue"}
_SENTIMENTS = {"positive": "green", "negative": "red"}


def show(result: Record, request: bytes) -> Text:
    """Return the result of the encoded request as one line or a few."""
    match result:
        case EnrichedDocument():
            line = _sentiment(result.sentiment.label, result.sentiment.score) if result.sentiment else Text()
            line.append_text(_marked(result.text, result.entities or ()))
            return Text("\n").join([line, *map(_answer, result.answers)])
        case SentimentResult():
            return _sentiment(result.sentiment, result.score).append_text(_marked(result.text, ()))
        case NerResult():
            return _marked(result.text, result.entities)
        case QaResult():
            question = codec.decode(request, QaRequest).question
            return Text.assemble(f"{question} ", (_visible(result.answer), "bold"), f" ({result.score:.2f})")
        case _:
            raise TypeError(f"This is a bug: {type(result).__name__} has no view")


def show_failure(sample_id: str, kind: str, code: str, detail: str) -> Text:
    """Return why a record came to the dead letters."""
    return Text.assemble((f"✗ {code}", "bold red"), f" {sample_id} ({kind}): ", (_visible(detail), "dim"))


def _sentiment(label: str, score: float) -> Text:
    return Text(f"{label} {score:.2f} ", style=_SENTIMENTS[label])


def _answer(answer: Answer) -> Text:
    return Text.assemble(f"  {answer.question} ", (_visible(answer.answer), "bold"), f" ({answer.score:.2f})")


def _marked(text: str, entities: Iterable[Entity]) -> Text:
    """Return the text, cut for the screen, with each entity in its colour and its type behind it."""
    shown, position = Text(), 0
    for entity in entities:
        if entity.end_char > _MAX_CHARS:
            break
        shown.append(_visible(text[position : entity.start_char]))
        shown.append(_visible(entity.text), _COLOURS[entity.type]).append(f" {entity.type}", "dim")
        position = entity.end_char
    shown.append(_visible(text[position : max(position, _MAX_CHARS)]))
    return shown.append(f"… ({len(text):,} characters)", "dim") if len(text) > _MAX_CHARS else shown


def _visible(text: str) -> str:
    """Return the text on one line, without characters that would move the cursor or start an escape sequence."""
    return "".join(" " if character.isspace() else _printable(character) for character in text)


def _printable(character: str) -> str:
    return "·" if unicodedata.category(character) == "Cc" else character
