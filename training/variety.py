"""The training sets as people type: sentences put together again, capitals as usual, missing or all over.

SST-2 is lower-case words and marks with spaces between, CoNLL-2003 cased words and marks with spaces between; a model
that saw nothing else takes the spaces for the task.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from nltk.tokenize.treebank import TreebankWordDetokenizer

from training.data import TaggedSentence

_CLOSING = frozenset((".", ",", ";", ":", "!", "?", ")", "]", "%", "'s", "'S", "'re", "'ve", "'ll", "'d", "'m", "n't"))
_OPENING = frozenset(("(", "[", "$", "#", "£"))
_BRACKETS = {"-lrb-": "(", "-rrb-": ")"}
_detokenizer = TreebankWordDetokenizer()


@dataclass(frozen=True, slots=True)
class TaggedText:
    """A text whose word `number` begins at `starts[number]` (code points) and carries the IOB2 tag `tags[number]`."""

    text: str
    starts: tuple[int, ...]
    tags: tuple[str, ...]


def retype(text: str, generator: np.random.Generator) -> str:
    """Return an SST-2 phrase as it is (4 of 10), or as somebody would type it: most often like a sentence."""
    style = generator.random()
    if style < 0.4:
        return text
    joined: str = _detokenizer.detokenize([_BRACKETS.get(word, word) for word in text.split()]).replace("--", " -- ")
    if style < 0.8:
        return joined[:1].upper() + joined[1:]
    if style < 0.92:
        return joined
    return joined.upper()


def spaced(sentences: Sequence[TaggedSentence]) -> TaggedText:
    """Return the sentences as they are scored: every word and mark with spaces around."""
    words = [word for sentence in sentences for word in sentence.words]
    tags = [tag for sentence in sentences for tag in sentence.tags]
    return _joined(words, tags, [False] * len(words))


def retype_tagged(sentences: Sequence[TaggedSentence], generator: np.random.Generator) -> TaggedText:
    """Return the sentences as one text: spaced, or typed as usual, some in small letters, in capitals or without marks.

    The tags stay: a name is one in small letters too.
    """
    style, case = generator.random(2)
    kept = [pair for sentence in sentences for pair in _pairs(sentence, drop_end=style > 0.9)]
    words, tags = [word for word, _ in kept], [tag for _, tag in kept]
    if case < 0.06:
        words = [word.lower() for word in words]
    elif case < 0.1:
        words = [word.upper() for word in words]
    return _joined(words, tags, [False] * len(words) if style < 0.5 else glued(words))


def _pairs(sentence: TaggedSentence, drop_end: bool) -> Iterator[tuple[str, str]]:
    pairs = list(zip(sentence.words, sentence.tags, strict=True))
    if drop_end and len(pairs) > 1 and sentence.words[-1] in ".!?":
        pairs.pop()
    return iter(pairs)


def glued(words: Sequence[str]) -> list[bool]:
    """Return which words stand without a space before them where people type as usual."""
    joined, quoted = [], False
    opened = True  # a text begins without a space
    for word in words:
        closes = word in _CLOSING or (word == '"' and quoted)
        joined.append(closes or opened)
        opened = word in _OPENING or (word == '"' and not quoted)
        quoted ^= word == '"'
    return joined


def _joined(words: Sequence[str], tags: Sequence[str], glued: Sequence[bool]) -> TaggedText:
    text, starts = "", []
    for word, is_glued in zip(words, glued, strict=True):
        text += word if is_glued or not text else f" {word}"
        starts.append(len(text) - len(word))
    return TaggedText(text, tuple(starts), tuple(tags))
