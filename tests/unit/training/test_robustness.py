"""Texts unlike the training's: names keep their tags however they are written."""

from training.data import TaggedSentence
from training.robustness import LONG_TEXT_SENTENCES, noisy, typed
from training.sets import spaced
from training.variety import without_marks

_SENTENCE = TaggedSentence(
    ("Ada", "(", "of", "\"", "St.", "Paul", "\"", ")", "did", "n't", "see", "Al-Ain", "."),
    ("B-PER", "O", "O", "O", "B-LOC", "I-LOC", "O", "O", "O", "O", "O", "B-LOC", "O"),
)  # fmt: skip


def test_cases_change_letters_and_no_tag() -> None:
    texts = noisy([_SENTENCE])

    assert texts["upper"][0].text.startswith("ADA ( OF")
    assert texts["lower"][0].text.startswith("ada ( of")
    assert texts["upper"][0].tags == texts["lower"][0].tags == _SENTENCE.tags


def test_marks_stand_where_people_type_them() -> None:
    text = typed(_SENTENCE)

    assert text.text == 'Ada (of "St. Paul") didn\'t see Al-Ain.'
    assert [text.text[start:end] for start, end in text.words] == list(_SENTENCE.words)
    assert text.tags == _SENTENCE.tags


def test_text_without_marks_keeps_words_hyphens_and_tags() -> None:
    bare = without_marks(_SENTENCE)

    assert bare == TaggedSentence(
        ("Ada", "of", "St", "Paul", "did", "nt", "see", "Al-Ain"),
        ("B-PER", "O", "B-LOC", "I-LOC", "O", "O", "O", "B-LOC"),
    )


def test_name_that_begins_with_a_mark_begins_with_its_next_word() -> None:
    bare = without_marks(TaggedSentence(('"', "Hamlet", '"', "'", "tis"), ("B-MISC", "I-MISC", "I-MISC", "O", "O")))

    assert bare == TaggedSentence(("Hamlet", "tis"), ("B-MISC", "O"))


def test_long_texts_hold_every_sentence_once_in_order() -> None:
    sentences = [TaggedSentence((f"word{number}", "Ada"), ("O", "B-PER")) for number in range(LONG_TEXT_SENTENCES + 1)]

    first, rest = noisy(sentences)["long"]

    assert f"{first.text} {rest.text}" == " ".join(text.text for text in spaced(sentences))
    assert rest.tags == ("O", "B-PER")


def test_sentence_of_marks_alone_is_left_out() -> None:
    assert without_marks(TaggedSentence(("-", "."), ("O", "O"))) is None
    assert noisy([TaggedSentence((".",), ("O",))])["no_punctuation"] == []
