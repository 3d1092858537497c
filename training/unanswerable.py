"""Questions that their paragraph does not answer, made of those that it does: what a low score must look like.

SQuAD 1.1 has none, and a question put to another paragraph is told by its words alone. People ask about what stands in
a text, and about another year, place or person than the one it tells of: so did the writers of SQuAD 2.0 (Rajpurkar et
al. 2018, table 2: swapped entities, antonyms, negations), none of whose questions is read here.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from training.data import Question

_NAME = re.compile(r"(?<=\w )[A-Z][\w-]*(?:\.[A-Z])*(?:\.? (?:of |the |de )?[A-Z\d][\w-]*)*")
"""Words with a capital, not the first one of a question, which has its capital from its place."""
_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")
_AUXILIARY = re.compile(r"\b(did|does|do|was|were|is|are|has|have|had|can|could|would|should|will)\b(?! not\b|n't)")
_SHORT_NOT = {"can": "can't", "will": "won't"}
_PAIRS = """
above below, accepted rejected, allowed forbidden, before after, began ended, begin end, beginning end, best worst,
biggest smallest, built destroyed, common rare, created abolished, decrease increase, decreased increased, early late,
earliest latest, east west, eastern western, external internal, first last, founded dissolved, gained lost,
greater lesser, high low, higher lower, highest lowest, included excluded, inside outside, large small, larger smaller,
largest smallest, longest shortest, major minor, majority minority, male female, man woman, maximum minimum, men women,
more fewer, most least, new old, newest oldest, north south, northern southern, popular unpopular, positive negative,
primary secondary, private public, same different, start stop, started stopped, strong weak, support oppose,
supported opposed, upper lower, win lose, won lost
"""
_OPPOSITES = {
    word: other
    for first, second in (pair.split() for pair in _PAIRS.split(","))
    for word, other in ((second, first), (first, second))
}
_OPPOSED = re.compile(rf"\b({'|'.join(_OPPOSITES)})\b")

_SWAPPED = 0.65  # of the questions that hold a name or number: that is what people mistake most
_CONTRARY = 0.7  # of the rest, where a word has an opposite; the others are denied
_CANDIDATES = 8  # of which one that the paragraph holds is taken, if any: an unknown name would be told by itself
_DENIED = 0.5  # of those that are left: more, and a "not" alone would mean that there is no answer
_DENIED_SHORT = 0.7  # "didn't" rather than "did not"

_Place = tuple[str, str]
"""The word before a name or number, and its shape: what stands alike is of one kind more often than not."""


class Alterations:
    """Names and numbers of the questions of each article, which take each other's places."""

    def __init__(self, questions: Sequence[Question]) -> None:
        found: dict[str, dict[_Place, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
        for question in questions:
            for match in _mentions(question.question):
                for place in _places(question.question, match):
                    found[question.title][place][match.group()] = None
        self._found = {
            title: {place: list(mentions) for place, mentions in places.items()} for title, places in found.items()
        }

    def alter(self, question: Question, generator: np.random.Generator) -> Question | None:
        """Return the question asked of something that its paragraph does not tell, None where no change is known.

        A few are answered all the same: what changed was not what mattered.
        """
        swapped = self._swapped(question, generator) if generator.random() < _SWAPPED else None
        altered = swapped or _contrary(question.question, generator) or _denied(question.question, generator)
        return None if altered is None else replace(question, question=altered, answers=(), starts=())

    def _swapped(self, question: Question, generator: np.random.Generator) -> str | None:
        text = question.question
        mentions = list(_mentions(text))
        if not mentions:
            return None
        match = mentions[generator.integers(len(mentions))]
        said = [text.lower(), *(answer.lower() for answer in question.answers)]
        for place in _places(text, match):
            known = self._found[question.title][place]
            drawn = [known[number] for number in generator.integers(len(known), size=_CANDIDATES)]
            others = [each for each in drawn if _is_other(each.lower(), match.group().lower(), said)]
            if others:
                other: str = next((each for each in others if each in question.context), others[0])
                return text[: match.start()] + other + text[match.end() :]
        return None


def _mentions(text: str) -> Iterator[re.Match[str]]:
    """Yield the names and numbers of a question."""
    names = list(_NAME.finditer(text))
    yield from names
    for number in _NUMBER.finditer(text):
        if not any(name.start() <= number.start() < name.end() for name in names):
            yield number


def _places(text: str, match: re.Match[str]) -> tuple[_Place, _Place]:
    """Return where a mention stands: with the word before it, and less closely without."""
    before = text[: match.start()].split()
    shape = re.sub(r"\d", "0", match.group()) if match.group()[0].isdigit() else "name"
    return (before[-1].lower() if before else "", shape), ("*", shape)


def _is_other(candidate: str, mention: str, said: Iterable[str]) -> bool:
    """Return whether it names something else than the question and its answers do."""
    return mention not in candidate and not any(candidate in each or each in candidate for each in said)


def _contrary(text: str, generator: np.random.Generator) -> str | None:
    words = list(_OPPOSED.finditer(text))
    if not words or generator.random() >= _CONTRARY:
        return None
    match = words[generator.integers(len(words))]
    return text[: match.start()] + _OPPOSITES[match.group()] + text[match.end() :]


def _denied(text: str, generator: np.random.Generator) -> str | None:
    match = _AUXILIARY.search(text)
    if match is None or generator.random() >= _DENIED:
        return None
    word = match.group()
    denied = _SHORT_NOT.get(word, f"{word}n't") if generator.random() < _DENIED_SHORT else f"{word} not"
    return text[: match.start()] + denied + text[match.end() :]
