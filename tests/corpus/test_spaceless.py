from __future__ import annotations

import pytest

from lmcli.corpus.spaceless import characters_per_word, ends_sentences_with_marks, stop_words
from tests.corpus.filters.prose import CHINESE, JAPANESE, THAI


@pytest.mark.parametrize(
    ("text", "characters", "word", "marks"),
    [
        (CHINESE, 2, "的", True),
        (JAPANESE, 2, "の", True),
        (THAI, 4, "และ", False),
        ("ພາສາລາວ", 4, "ແລະ", False),
        ("ភាសាខ្មែរ", 4, "និង", True),
        ("မြန်မာစာ", 4, "သည်", True),
        ("。。。", 2, "的", True),
    ],
)
def test_what_is_known_of_a_script(text: str, characters: int, word: str, marks: bool) -> None:
    assert characters_per_word(text) == characters
    assert word in stop_words(text)
    assert ends_sentences_with_marks(text) is marks
