"""The kinds of tokenizer beside bpe and char: what they learn and lose, and that transformers reads them alike."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import ConfigError
from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.kinds import KINDS
from lmcli.tokens.kinds.word import ALWAYS
from lmcli.tokens.patterns import PATTERNS
from lmcli.tokens.special import END, PAD, UNKNOWN
from lmcli.tokens.tokenizer import StreamDecoder, Tokenizer
from lmcli.tokens.training import train_tokenizer
from tests.tokens.conftest import Heard, corpus, trained
from tests.tokens.test_patterns import CHINESE, CODE, TEXT
from tests.tokens.test_tokenizer import SAMPLES

TRAINED = ("bpe", "unigram", "word", "wordpiece")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    text = corpus(60_000) + CHINESE * 5 + CODE * 5
    return {kind: trained([text], tmp_path_factory.mktemp(kind), kind=kind) for kind in KINDS}


@pytest.fixture(params=KINDS)
def each(request: pytest.FixtureRequest, kinds: dict[str, Tokenizer]) -> Tokenizer:
    return kinds[request.param]


@settings(deadline=None, max_examples=50)
@given(text=st.text())
def test_unigram_gives_every_text_back(kinds: dict[str, Tokenizer], text: str) -> None:
    tokenizer = kinds["unigram"]
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert int(tokenizer.token_bytes[ids].sum()) == len(text.encode())
    assert tokenizer.unknown_id is None


def test_unigram_takes_the_likelier_cut(tmp_path: Path) -> None:
    words = "banana band ban nab an " * 50 + "cabana cab abacus " * 20
    tokenizer = trained([words], tmp_path, kind="unigram", vocab_size=266)
    assert tokenizer.vocab_size == 266
    pieces = [tokenizer.decode([place]) for place in tokenizer.encode(" banana cabana")]
    assert pieces[0] == " banana"
    document = json.loads(tokenizer.path.read_text())
    scores = [score for _, score in document["model"]["vocab"]]
    assert scores[256:] == sorted(scores[256:], reverse=True)
    assert document["model"]["type"] == "Unigram"


def test_unigram_needs_fewer_tokens_than_bpe_for_what_it_learned_from(tmp_path: Path, text: str) -> None:
    counts = {
        kind: len(trained([text], tmp_path / kind, kind=kind, vocab_size=1000).encode(text))
        for kind in ("unigram", "bpe")
    }
    assert counts["unigram"] < 0.95 * counts["bpe"]


def test_words_of_the_vocabulary_come_back_with_their_white_space(kinds: dict[str, Tokenizer], text: str) -> None:
    tokenizer = kinds["word"]
    ids = tokenizer.encode(text)
    pieces = [tokenizer.decode([place]) for place in ids]
    assert "".join(pieces) == tokenizer.decode(ids)
    assert " the" in pieces
    assert tokenizer.decode(tokenizer.encode("(the,  is)\r\n\t the 10.5")) == "(the,  is)\r\n\t the 10.5"
    assert tokenizer.decode(tokenizer.encode("the Zyzzyx is")) == f"the{UNKNOWN} is"
    assert 0 < ids.count(tokenizer.unknown_id) < 0.1 * len(ids)


def test_words_are_the_frequent_ones_in_order(tmp_path: Path, heard: Heard) -> None:
    text = "b c b a c b once a 中文\n" * 1 + " b c x y"
    config = TokenizerConfig(kind="word", vocab_size="auto", min_frequency=2)
    report = train_tokenizer([text], len(text.encode()), config, tmp_path, heard)
    vocab = json.loads((tmp_path / "tokenizer.json").read_text())["model"]["vocab"]
    learned = sorted(vocab, key=vocab.__getitem__)[len(ALWAYS) :]
    assert learned == [" b", " c", " a"]
    assert report.unknown_share is not None
    assert report.unknown_share == 6 / 16  # b without a space, once, 中, 文, x, y
    assert any("37.50%" in line and "U+FFFD" in line for line in heard.said)


def test_wordpiece_is_as_in_bert(kinds: dict[str, Tokenizer]) -> None:
    tokenizer = kinds["wordpiece"]
    vocab = json.loads(tokenizer.path.read_text())["model"]["vocab"]
    tokens = [tokenizer.backend.id_to_token(place) for place in tokenizer.encode("statements, 床前 Zq")]
    assert "".join(tokens[:3]).replace("##", "").startswith("statement")
    assert tokens[0][0] == "s"
    assert all(token.startswith("##") for token in tokens[1 : tokens.index(",")])
    assert {"床", "前"} <= set(tokens)
    assert "##床" not in vocab
    assert (
        tokenizer.decode(tokenizer.encode("The  statement\nisn't (so), is it?"))
        == "The statement isn ' t ( so ), is it?"
    )
    assert tokenizer.encode("x" * 101) == [tokenizer.unknown_id]


def test_wordpiece_of_a_small_vocabulary_keeps_the_common_characters(tmp_path: Path) -> None:
    rare = "".join(chr(0x4E00 + place) for place in range(200))
    tokenizer = trained([corpus(20_000) + rare], tmp_path, kind="wordpiece", vocab_size=202)
    vocab = json.loads(tokenizer.path.read_text())["model"]["vocab"]
    assert tokenizer.vocab_size == 202
    assert {"e", "##e", "t", "##t", "."} <= set(vocab)


def test_lower_case_is_a_setting_of_wordpiece(tmp_path: Path, heard: Heard) -> None:
    text = "The Café is the CAFÉ. " * 50
    config = TokenizerConfig(kind="wordpiece", lowercase=True)
    report = train_tokenizer([text], len(text), config, tmp_path, heard)
    tokenizer = Tokenizer.load(tmp_path)
    assert tokenizer.encode("THE café") == tokenizer.encode("the CAFE")
    assert tokenizer.decode(tokenizer.encode("The Café")) == "the cafe"
    assert "capitals" in report.losses
    assert any("white space is not kept" in line for line in heard.said)


@pytest.mark.parametrize("kind", ["unigram", "word", "wordpiece"])
def test_a_vocabulary_that_is_too_small_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"too small for {kind}"):
        trained(["text"], tmp_path, kind=kind, vocab_size=20)


@pytest.mark.parametrize("kind", TRAINED)
def test_special_tokens_follow_the_learned_ones(tmp_path: Path, kind: str) -> None:
    names = ("<|im_start|>", "<|im_end|>", "[MASK]")
    text = corpus(60_000) + "[MASK] <|im_start|> " * 30
    tokenizer = trained([text], tmp_path, kind=kind, vocab_size=500, special_tokens=names, reserved=2, sentinels=3)
    assert tokenizer.vocab_size == 500
    order = [tokenizer.backend.id_to_token(place) for place in range(490, 500)]
    sentinels = ["<extra_id_2>", "<extra_id_1>", "<extra_id_0>"]  # T5's order: the first has the highest id
    assert order == [END, PAD, *names, "<|reserved_0|>", "<|reserved_1|>", *sentinels]
    assert (tokenizer.end_id, tokenizer.pad_id) == (490, 491)
    for text in SAMPLES:
        assert max(tokenizer.encode(f"{text}[MASK]<|im_start|><extra_id_0>"), default=0) < 490


@pytest.mark.parametrize(
    ("kind", "setting"),
    [("word", {"pattern": "gpt2"}), ("bpe", {"lowercase": True}), ("char", {"min_frequency": 3})],
)
def test_a_setting_that_the_kind_does_not_read_is_refused(tmp_path: Path, kind: str, setting: dict[str, Any]) -> None:
    (name,) = setting
    with pytest.raises(ConfigError, match=f"tokenizer.{name} has no meaning for {kind}"):
        trained(["text"], tmp_path, kind=kind, **setting)


def test_a_special_token_that_is_a_word_of_the_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ing is an ordinary token"):
        trained([corpus(60_000)], tmp_path, special_tokens=("ing",))


@pytest.mark.parametrize(("names", "said"), [(("<a>", "<a>"), "twice"), ((" ",), "no name")])
def test_impossible_special_tokens(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        trained(["text"], tmp_path, special_tokens=names)


@settings(deadline=None, max_examples=40)
@given(text=TEXT)
def test_parts_and_streams_agree_with_the_whole(kinds: dict[str, Tokenizer], text: str) -> None:
    from lmcli.tokens.pretokenization import segments

    for kind, tokenizer in kinds.items():
        whole = tokenizer.encode_part(text)
        if tokenizer._boundary is not None:
            parts = segments(text, 3, tokenizer._boundary)
            assert [token for part in parts for token in tokenizer.encode_part(part)] == whole, kind
        stream = StreamDecoder(tokenizer)
        assert "".join(map(stream.push, whole)) + stream.flush() == tokenizer.decode(whole), kind
        assert all(tokenizer._boundary is not None for tokenizer in kinds.values() if tokenizer.unit != "characters")


@pytest.mark.parametrize("kind", KINDS)
def test_an_endless_line_costs_little_time(kinds: dict[str, Tokenizer], tmp_path: Path, kind: str) -> None:
    line = "".join(chr(97 + (place * place + place // 7) % 26) for place in range(2_000_000))
    start = time.process_time()
    trained([corpus(20_000), line], tmp_path, kind=kind)
    tokenizer = kinds[kind]
    count = sum(len(tokenizer.encode_part(part)) for part in tokenizer.parts(line))
    assert time.process_time() - start < 20
    assert count > 0


_PROGRAM = """
import sys
from pathlib import Path
from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.training import train_tokenizer
texts = Path(sys.argv[1]).read_text().split("\\f")
size = sum(len(text.encode()) for text in texts)
for kind in sys.argv[3:]:
    config = TokenizerConfig(kind=kind, sample_bytes=size // 2)
    train_tokenizer(texts, size, config, Path(sys.argv[2], kind), Silent())
"""


def runs(tmp_path: Path, settings: list[tuple[str, str]]) -> dict[str, set[str]]:
    source = tmp_path / "text"
    text = corpus(300_000) + CHINESE * 50
    source.write_text("\f".join(text[start : start + 3000] for start in range(0, len(text), 3000)))
    found: dict[str, set[str]] = {kind: set() for kind in TRAINED}
    for run, (threads, seed) in enumerate(settings):
        environment = os.environ | {
            "TOKENIZERS_PARALLELISM": "true",
            "RAYON_NUM_THREADS": threads,
            "PYTHONHASHSEED": seed,
        }
        out = tmp_path / f"out{run}"
        subprocess.run([sys.executable, "-c", _PROGRAM, source, out, *TRAINED], check=True, env=environment)
        for kind in TRAINED:
            content = b"".join(path.read_bytes() for path in sorted((out / kind).iterdir()))
            found[kind].add(hashlib.sha256(content).hexdigest())
    return found


def test_the_same_bytes_in_every_run(tmp_path: Path) -> None:
    found = runs(tmp_path, [("1", "0"), ("2", "1"), ("4", "random")])
    assert {kind: len(digests) for kind, digests in found.items()} == dict.fromkeys(TRAINED, 1)


@pytest.mark.slow
def test_the_same_bytes_in_twenty_runs(tmp_path: Path) -> None:
    found = runs(tmp_path, [(str(1 << run % 3), "random") for run in range(20)])
    assert {kind: len(digests) for kind, digests in found.items()} == dict.fromkeys(TRAINED, 1)


@pytest.fixture
def theirs(each: Tokenizer) -> Any:
    return pytest.importorskip("transformers").AutoTokenizer.from_pretrained(each.path.parent)


@pytest.mark.filterwarnings("default")
def test_transformers_reads_each_kind_alike(each: Tokenizer, theirs: Any, text: str) -> None:
    agree(each, theirs, text)
    unknown = theirs.unk_token_id
    assert unknown == (each.unknown_id if each.unit is None else unknown)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_transformers_reads_each_pattern_alike(tmp_path: Path, kind: str, pattern: str, text: str) -> None:
    transformers = pytest.importorskip("transformers")
    ours = trained([text + CHINESE * 20 + CODE * 20], tmp_path, kind=kind, vocab_size=500, pattern=pattern)
    agree(ours, transformers.AutoTokenizer.from_pretrained(tmp_path), text)


def agree(ours: Tokenizer, theirs: Any, text: str) -> None:
    assert (theirs.eos_token_id, theirs.pad_token_id) == (ours.end_id, ours.pad_id)
    assert len(theirs) == ours.vocab_size
    for sample in [*SAMPLES, CHINESE, CODE, text]:
        ids = ours.encode(sample)
        assert theirs(sample, split_special_tokens=True, add_special_tokens=False)["input_ids"] == ids
        assert theirs.decode(ids) == ours.decode(ids)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("template", "special", "expected"),
    [
        (
            "auto",
            ("<|im_start|>", "<|im_end|>"),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>assistant\n",
        ),
        ("plain", (), "User: Hi\nAssistant: Hello<|endoftext|>\nAssistant:"),
        ("auto", (), None),
        ("none", ("<|im_start|>", "<|im_end|>"), None),
    ],
)
def test_chat_templates(tmp_path: Path, template: str, special: tuple[str, ...], expected: str | None) -> None:
    transformers = pytest.importorskip("transformers")
    ours = trained([corpus(20_000)], tmp_path, vocab_size=400, special_tokens=special, chat_template=template)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert (tmp_path / "chat_template.jinja").exists() == (expected is not None)
    if expected is None:
        assert theirs.chat_template is None
        return
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) == expected
    ids = theirs.apply_chat_template(messages, tokenize=True, add_generation_prompt=True, return_dict=False)
    assert [ours.backend.token_to_id(name) in ids for name in special] == [True] * len(special)


def test_a_template_needs_its_special_tokens(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs the special tokens"):
        train_tokenizer(["text"], 4, TokenizerConfig(chat_template="chatml"), tmp_path / "out", Silent())
    assert not (tmp_path / "out").exists()
