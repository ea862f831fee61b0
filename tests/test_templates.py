"""Every template, from `init` to its last figure, with short trainings."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

import pytest

from lmcli.project import scaffold
from lmcli.project.project import Project
from tests.conftest import Lmcli

WORDS = (
    "我们 他们 老人 孩子 朋友 老师 今天 昨天 早上 晚上 春天 冬天 看见 找到 带来 忘记 想起 喜欢 离开 回到 "
    "一条 两本 许多 几个 那座 这个 我的 是在 了不 在这 小路 旧书 河流 房子 月亮 苹果 山上 海边 村里 "
    "城中 很快 慢慢 终于 已经"
).split()


def write_chinese(folder: Path, documents: int = 120) -> None:
    """Documents of sentences that mean little and hardly repeat."""
    rng = random.Random(0)
    folder.mkdir(exist_ok=True)
    for number in range(documents):
        lines = ["".join(rng.choices(WORDS, k=8)) + "，" + "".join(rng.choices(WORDS, k=6)) + "。" for _ in range(12)]
        (folder / f"{number}.txt").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in scaffold.templates() if name not in ("default", "quickstart")])
def test_a_template_runs_to_its_end(name: str, folder: Path, lmcli: Lmcli) -> None:
    assert lmcli("init", "--template", name).code == 0
    settings = folder / "lmcli.toml"
    settings.write_text(re.sub(r'length = "\d+[ms]"', 'length = "15s"', settings.read_text(encoding="utf-8")))
    if name == "zh":
        write_chinese(folder / "corpus")
    ran = lmcli("run")
    assert ran.code == 0, ran.err
    project = Project(folder)
    entries = project.manifest().entries
    assert {"tokens", "model", *project.document.table("eval"), *project.document.table("generate")} <= entries.keys()
    for name_of_figures in project.document.table("eval"):
        figures = entries[name_of_figures].report["figures"]
        assert figures
        assert all(math.isfinite(value) for value in figures.values()), figures
    rows = [json.loads(row) for row in (folder / "runs/model/metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["val_loss"] < rows[0]["loss"]
    assert lmcli("run").code == 0
    assert Project(folder).manifest().entries == entries
