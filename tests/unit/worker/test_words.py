"""Words are compared as SQuAD's script compares answers."""

import pytest

from worker.words import bare_words


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("The  Denver Broncos!", "denver broncos"),
        ("an apple, a pear", "apple pear"),
        ("theatre", "theatre"),
        ("U.S.A.", "usa"),
        ("$1,000", "1000"),
        ("twenty-one", "twentyone"),  # marks go, nothing takes their place
        ("A", ""),
        ("the the a cat", "cat"),
        ("Anthem of an era", "anthem of era"),  # articles are whole words
        ("\tan\u00a0apple\n", "apple"),
        ("“quoted” – text", "“quoted” – text"),  # ASCII marks only, as in the script
        ("ÉCOLE", "école"),
    ],
)
def test_bare_words_follow_the_official_script(answer: str, normal: str) -> None:
    assert bare_words(answer) == normal
