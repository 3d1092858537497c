r"""Words as people and the CoNLL annotators count them: the units that entities are made of.

The encoder's own pre-tokens break at every punctuation mark ("U", ".", "S", "."), which is too fine: names would
lose their periods and hyphens. Here a word keeps inner hyphens, apostrophes, ampersands and periods, an abbreviation
keeps its last period, and clitics ("'s", "n't") are words of their own, as in the Penn Treebank.
"""

import re
import string
import unicodedata
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple


class Span(NamedTuple):
    """Code points `start_char` to `end_char` of a text, end exclusive."""

    start_char: int
    end_char: int


def _mark_ranges() -> str:
    r"""Return the combining marks as ranges of a character class: `\w` of `re` does not hold them.

    Without them a decomposed "é", and every word of Devanagari or Thai, would fall apart.
    """
    last_script = 0x20000  # the planes above hold ideographs and private use, no marks but variation selectors
    marks = (code for code in range(last_script) if unicodedata.category(chr(code))[0] == "M")
    runs = groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0])
    ranges = [[code for _, code in run] for _, run in runs]
    return "".join(f"\\U{run[0]:08x}-\\U{run[-1]:08x}" for run in ranges) + r"\U000e0100-\U000e01ef"


_ABBREVIATIONS = (
    "Inc|Corp|Ltd|Co|Cos|Bros|Jr|Sr|St|Dr|Mr|Mrs|Ms|Messrs|Prof|Gen|Sen|Rep|Gov|Lt|Col|Sgt|Capt|Adm|Maj|Rev|Hon|"
    "Pres|Mt|Ft|Ave|Blvd|Rd|Dept|Univ|Assn|Intl|Natl|Govt|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"
)
_CLITIC = r"['’](?:s|S|re|RE|ve|VE|ll|LL|d|D|m|M)(?!\w)"
_NEGATION = r"n['’]t(?!\w)"
_JOINT = r"(?:[-&'’·@]|[.,](?=\d)|\.(?=[a-z]))"


def _pattern(letter: str) -> re.Pattern[str]:
    return re.compile(
        rf"""
          (?:[^\W\d_]\.){{2,}}(?:-{letter}+)*           # U.S.  J.R.R.  U.S.-led
        | (?:{_ABBREVIATIONS})\.(?!\w)                  # Inc.  St.
        | [A-Z]\.(?=\s+{letter})                        # the J. of "J. Smith", not the end of "vitamin C."
        | {_CLITIC}
        | {_NEGATION}
        | (?:(?!{_NEGATION}){letter})+
          (?:(?!{_CLITIC}){_JOINT}(?:(?!{_NEGATION}){letter})+)*
        | \S                                            # any other mark stands alone
        """,
        re.VERBOSE,
    )


_WORD = _pattern(rf"[\w\u200c\u200d{_mark_ranges()}]")
_ASCII_WORD = _pattern(r"\w")
"""Finds the same in a text of ASCII alone, without the search through the marks."""


def find_words(text: str) -> list[Span]:
    """Return the words and marks of a text in reading order, never overlapping, never holding white space."""
    return list(read_words(text, 0))


def read_words(text: str, char: int, read_to: int = 0) -> Iterator[Span]:
    """Yield the words that `find_words` returns, from the white space before `char` on or from a word's end `read_to`.

    No word holds white space and none depends on what stands before it, so a reader may begin at either.
    """
    while char > read_to and not text[char - 1].isspace():
        char -= 1
    pattern = _ASCII_WORD if text.isascii() else _WORD
    for match in pattern.finditer(text, char):
        yield Span(*match.span())


_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the)\b")


def bare_words(text: str) -> str:
    """Return the text in lower case without punctuation, articles and extra white space.

    As SQuAD's evaluate-v1.1.py compares answers (Rajpurkar et al. 2016, section 6.1).
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())
