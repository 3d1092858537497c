"""The training sets as people type: sentences put together again, capitals as usual, missing or all over.

SST-2 is lower-case words and marks with spaces between, CoNLL-2003 cased words and marks with spaces between; a model
that saw nothing else takes the spaces for the task.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nltk.tokenize.treebank import TreebankWordDetokenizer

from training.data import TaggedSentence

_CLOSING = frozenset((".", ",", ";", ":", "!", "?", ")", "]", "%", "'s", "'S", "'re", "'ve", "'ll", "'d", "'m", "n't"))
_OPENING = frozenset(("(", "[", "$", "#", "£"))
_BRACKETS = {"-lrb-": "(", "-rrb-": ")"}
_UNSAID = str.maketrans("", "", string.punctuation.replace("-", ""))
"""A hyphen within a word is written even by those who write no other mark."""
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
    if style > 0.94:
        sentences = [bare for bare in map(without_marks, sentences) if bare] or sentences
    elif style > 0.88:
        sentences = [_without_end(sentence) for sentence in sentences]
    words = [word for sentence in sentences for word in sentence.words]
    tags = [tag for sentence in sentences for tag in sentence.tags]
    if case < 0.06:
        words = [word.lower() for word in words]
    elif case < 0.1:
        words = [word.upper() for word in words]
    return _joined(words, tags, [False] * len(words) if style < 0.5 else glued(words))


def _without_end(sentence: TaggedSentence) -> TaggedSentence:
    if len(sentence.words) > 1 and sentence.words[-1] in ".!?":
        return TaggedSentence(sentence.words[:-1], sentence.tags[:-1])
    return sentence


def without_marks(sentence: TaggedSentence) -> TaggedSentence | None:
    """Return the sentence as written by who writes no punctuation, None where nothing is left."""
    words: list[str] = []
    tags: list[str] = []
    is_cut = False  # a name lost its first word, a mark: the next one begins it
    for word, tag in zip(sentence.words, sentence.tags, strict=True):
        bare = word.translate(_UNSAID).strip("-")
        if bare:
            words.append(bare)
            tags.append(f"B-{tag[2:]}" if is_cut and tag.startswith("I-") else tag)
            is_cut = False
        elif tag != "O":
            is_cut = is_cut or tag.startswith("B-")
        else:
            is_cut = False
    return TaggedSentence(tuple(words), tuple(tags)) if words else None


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
