"""What rules about words become in scripts without spaces: Chinese, Japanese, Thai, Lao, Khmer, Burmese.

Each character is a word there (see `words`), so a number of words becomes a number of characters. No publication gives
these constants; they are our own choice.
"""

from __future__ import annotations

from lmcli.corpus.scripts import script

_ALPHABETS = ("Thai", "Lao", "Khmer", "Burmese")

_STOP_WORDS = {
    "Han": ("的", "是", "不", "了", "在", "有", "和", "这", "這", "也", "就", "都", "为", "為", "与", "與", "之", "以"),
    "Kana": ("の", "に", "は", "を", "た", "が", "で", "て", "と", "し", "れ", "さ", "も", "な"),
    "Thai": ("ที่", "และ", "ใน", "ของ", "การ", "เป็น", "ได้", "มี", "ไม่", "ให้", "จะ"),
    "Lao": ("ທີ່", "ແລະ", "ໃນ", "ຂອງ", "ເປັນ", "ການ", "ໄດ້", "ມີ"),
    "Khmer": ("និង", "នៅ", "ជា", "ដែល", "បាន", "ការ", "មាន", "នៃ"),
    "Burmese": ("သည်", "ကို", "တွင်", "နှင့်", "များ", "၏", "မှာ", "တယ်"),
}
"""The most frequent function words of each script's main language, as they appear inside a text."""


def characters_per_word(text: str) -> int:
    """How many characters of a script without spaces stand for one word: 2 in Chinese and Japanese, else 4."""
    return 4 if script(text) in _ALPHABETS else 2


def stop_words(text: str) -> tuple[str, ...]:
    """Function words of the script that a text is in."""
    return _STOP_WORDS.get(script(text), _STOP_WORDS["Han"])


def ends_sentences_with_marks(text: str) -> bool:
    """Thai and Lao put a space, or nothing, where other scripts put a full stop."""
    return script(text) not in ("Thai", "Lao")
