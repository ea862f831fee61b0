"""A tokenizer of another origin: what stays, what is added, what is left out, and that transformers agrees."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers, processors, trainers

from lmcli.errors import ArtifactError, ConfigError, InputError
from lmcli.progress import Silent
from lmcli.tokens.adopting import AdoptedReport, adopt, files_of
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.patterns import PATTERNS
from lmcli.tokens.special import END, PAD
from lmcli.tokens.tokenizer import Tokenizer
from tests.tokens.conftest import Heard, corpus
from tests.tokens.test_tokenizer import SAMPLES


def like_gpt2(directory: Path, special: list[str], config: dict[str, object]) -> Path:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator([corpus(20_000)], trainer)
    backend.add_special_tokens([AddedToken(token, special=True) for token in special])
    if special:
        first = special[0]
        place = backend.token_to_id(first)
        backend.post_processor = processors.TemplateProcessing(f"{first} $A", special_tokens=[(first, place)])
    backend.enable_truncation(5)
    directory.mkdir(exist_ok=True)
    backend.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory


def adopted(source: Path, out: Path, progress: Any = None, **settings: Any) -> tuple[AdoptedReport, Tokenizer]:
    report = adopt(source, "theirs", TokenizerConfig(source="theirs", **settings), out, progress or Silent())
    return report, Tokenizer.load(out)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    config = {"eos_token": "</s>", "bos_token": {"content": "<s>"}, "auto_map": {"AutoTokenizer": ["x.Y", None]}}
    return like_gpt2(tmp_path / "theirs", ["<s>", "</s>"], config)


def test_ids_stay_and_what_is_missing_is_added(theirs: Path, tmp_path: Path, heard: Heard) -> None:
    report, ours = adopted(theirs, tmp_path / "out", heard)
    assert report == AdoptedReport("bpe", 403, "theirs", "</s>", PAD, (PAD,), ("truncation", "post_processor"))
    before = tokenizers.Tokenizer.from_file(str(theirs / "tokenizer.json"))
    before.no_truncation()
    for text in SAMPLES[:7]:
        assert ours.encode(text) == before.encode(text, add_special_tokens=False).ids
    assert (ours.end_id, ours.pad_id) == (401, 402)
    assert ours.pattern == PATTERNS["gpt2"].regex
    assert ours.unit == "bytes"
    assert any(PAD in line for line in heard.said)
    assert any("post_processor" in line for line in heard.said)


@pytest.mark.filterwarnings("default")
def test_transformers_gives_the_same_ids(theirs: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    _, ours = adopted(theirs, tmp_path / "out")
    auto = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in [corpus(5_000), *(sample.replace("<|", "< |") for sample in SAMPLES)]:
        assert auto(text)["input_ids"] == ours.encode(text)
        assert auto.decode(ours.encode(text)) == ours.decode(ours.encode(text))
    assert (auto.eos_token_id, auto.pad_token_id, auto.bos_token) == (ours.end_id, ours.pad_id, "<s>")
    assert "auto_map" not in json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())


def test_a_file_alone_gets_an_end_token(theirs: Path, tmp_path: Path) -> None:
    file = shutil.copy(theirs / "tokenizer.json", tmp_path / "some.json")
    report, _ = adopted(Path(file), tmp_path / "out")
    assert (report.end, report.added) == ("</s>", (PAD,))  # known by its name
    document = json.loads(Path(file).read_text())
    document["added_tokens"] = document["post_processor"] = None
    Path(file).write_text(json.dumps(document | {"added_tokens": []}))
    report, ours = adopted(Path(file), tmp_path / "other")
    assert (report.end, report.pad, report.added) == (END, PAD, (END, PAD))
    assert (ours.end_id, ours.pad_id, ours.vocab_size) == (400, 401, 402)


def test_the_end_may_be_named_by_the_model_alone(tmp_path: Path) -> None:
    theirs = like_gpt2(tmp_path / "theirs", ["<bos>", "<stop>", "<fill>"], {})
    (theirs / "config.json").write_text(json.dumps({"eos_token_id": 401, "pad_token_id": 402}))
    report, _ = adopted(theirs, tmp_path / "out")
    assert (report.end, report.pad, report.added) == ("<stop>", "<fill>", ())


def test_a_pad_token_that_is_the_end_token_gets_its_own(tmp_path: Path) -> None:
    theirs = like_gpt2(tmp_path / "theirs", ["<stop>"], {"eos_token": "<stop>", "pad_token": "<stop>"})
    report, ours = adopted(theirs, tmp_path / "out")
    assert report.added == (PAD,)
    assert ours.pad_id != ours.end_id


def test_without_completing_nothing_is_added(tmp_path: Path) -> None:
    theirs = like_gpt2(tmp_path / "theirs", ["<stop>"], {"eos_token": "<stop>"})
    report = adopt(theirs, "theirs", TokenizerConfig(), tmp_path / "out", Silent(), complete=False)
    assert (report.added, report.pad, report.vocab_size) == ((), "<stop>", 401)


def test_further_special_tokens(theirs: Path, tmp_path: Path) -> None:
    report, ours = adopted(theirs, tmp_path / "out", special_tokens=("<s>", "<|im_start|>", "<|im_end|>"), reserved=1)
    assert report.added == (PAD, "<|im_start|>", "<|im_end|>", "<|reserved_0|>")
    assert ours.vocab_size == 406
    assert (tmp_path / "out" / "chat_template.jinja").is_file()
    with pytest.raises(ConfigError, match="he is an ordinary token"):
        adopted(theirs, tmp_path / "other", special_tokens=("he",))


@pytest.mark.parametrize("where", ["file", "config", "list"])
def test_the_chat_template_comes_along(theirs: Path, tmp_path: Path, where: str) -> None:
    template = "{{ messages[0]['content'] }}!"
    config = json.loads((theirs / "tokenizer_config.json").read_text())
    if where == "file":
        (theirs / "chat_template.jinja").write_text(template)
    else:
        config["chat_template"] = template if where == "config" else [{"name": "default", "template": template}]
        (theirs / "tokenizer_config.json").write_text(json.dumps(config))
    adopted(theirs, tmp_path / "out")
    assert (tmp_path / "out" / "chat_template.jinja").read_text() == template
    adopted(theirs, tmp_path / "none", chat_template="none")
    assert not (tmp_path / "none" / "chat_template.jinja").exists()


def test_what_is_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing is there"):
        files_of(tmp_path / "nowhere")
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(InputError, match=r"no tokenizer\.json in it") as raised:
        files_of(tmp_path)
    assert "old format" in (raised.value.hint or "")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"model": {}}', b"\xff\xfe", b'{"model": {"type": "BPE", "vocab": {"a": -1}}}']
)
def test_a_damaged_file_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(data)
    with pytest.raises(ArtifactError, match=r"tokenizer\.json can't be used"):
        adopted(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_prefix_space_is_kept(tmp_path: Path) -> None:
    theirs = like_gpt2(tmp_path / "theirs", ["<stop>"], {"eos_token": "<stop>"})
    document = json.loads((theirs / "tokenizer.json").read_text())
    document["pre_tokenizer"]["add_prefix_space"] = True
    (theirs / "tokenizer.json").write_text(json.dumps(document))
    _, ours = adopted(theirs, tmp_path / "out")
    assert ours.pattern is None
    assert ours.encode("the") == ours.encode(" the")
    transformers = pytest.importorskip("transformers")
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "out")("the")["input_ids"] == ours.encode("the")
