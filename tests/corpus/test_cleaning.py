from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.corpus.audit import Audit
from lmcli.corpus.cleaning import REJECTED, clean, read_clean
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.parquet_files import read_rows
from lmcli.corpus.readers import text as text_reader
from lmcli.corpus.recipe import chain_of
from lmcli.corpus.sources import resolve
from lmcli.errors import ArtifactError, InputError
from lmcli.progress import Silent

from .conftest import WriteFile


def run(root: Path, out: Path, workers: int = 1, chunk: int = 1_000_000, **settings: Any) -> Audit:
    config = decode(CleanConfig, settings)
    chain = chain_of(config, root)
    return clean(resolve(["c"], root), config, chain, out, workers=workers, progress=Silent(), chunk=chunk)


def rejected(out: Path) -> list[dict[str, str]]:
    columns = ("id", "reason", "text")
    return [dict(zip(columns, row, strict=True)) for row in read_rows(out / REJECTED, columns, "")]


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    content = b"".join(path.relative_to(folder).as_posix().encode() + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()


def test_every_document_is_accounted_for(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("c/a.txt", "Some text.  \r\nMore.")
    write_file("c/b.txt", "Some text.\nMore.\n")
    write_file("c/d.txt", " \n\t\n")
    write_file("c/e.txt", "")
    write_file("c/f.html", "<p>A <b>page</b></p>")
    write_file("c/g.jsonl", '{"text": "row"}\nnot json\n{"text": "x"}\n{"text": "donâ€™t"}\n')
    write_file("c/h.txt", b"bad \xff bytes")
    report = run(tmp_path, tmp_path / "out", max_bad_rows=0.5, encoding_errors="drop", min_characters=2)
    assert [(document.id, document.text) for document in read_clean(tmp_path / "out")] == [
        ("c/a.txt", "Some text.\nMore."),
        ("c/f.html", "A page"),
        ("c/g.jsonl:1", "row"),
        ("c/g.jsonl:4", "don’t"),
    ]
    assert report.dropped == {"duplicate.exact": 1, "empty": 2, "row": 1, "short": 1, "encoding": 1}
    assert report.changed == {"whitespace.changed": 2, "html.changed": 1, "unicode.changed": 1}
    assert (report.documents_in, report.documents_kept) == (10, 4)
    assert report.bytes_out == len("Some text.\nMore.A pagerowdon’t".encode())
    assert [(line["id"], line["reason"]) for line in rejected(tmp_path / "out")] == [
        ("c/b.txt", "duplicate.exact"),
        ("c/g.jsonl:3", "short"),
    ]
    assert json.loads(json.dumps(report.report())) == report.report()


@given(st.lists(st.text(st.sampled_from("ab \n\r\x00é<>p/"), max_size=6), min_size=1, max_size=30), st.integers(1, 20))
@settings(deadline=None, max_examples=25)
def test_in_is_kept_plus_dropped(tmp_path_factory: pytest.TempPathFactory, texts: list[str], chunk: int) -> None:
    root = tmp_path_factory.mktemp("clean")
    (root / "c").mkdir()
    lines = [json.dumps({"text": text}) for text in [*texts, "certain"]]
    (root / "c" / "a.jsonl").write_text("\n".join(lines))
    report = run(root, root / "out", chunk=chunk)
    kept = [document.text for document in read_clean(root / "out")]
    assert report.documents_in == len(texts) + 1 == report.documents_kept + report.dropped.total()
    assert len(kept) == len(set(kept)) == report.documents_kept
    reading = report.reading["dropped"].get("empty", 0)
    assert len(rejected(root / "out")) == report.dropped.total() - reading


def corpus(write_file: WriteFile, documents: int = 400) -> None:
    words = ["alpha", "beta", "gamma", "naïve", "你好", "donâ€™t", "x  ", "\r\n", "\n\n\n\n", "<p>"]
    source = random.Random(0)
    for folder in range(4):
        lines = [json.dumps({"text": " ".join(source.choices(words, k=30))}) for _ in range(documents // 4)]
        write_file(f"c/{'aBéz'[folder]}.jsonl", "\n".join(lines + lines[:3]))


def test_the_bytes_do_not_depend_on_workers_or_chunks(tmp_path: Path, write_file: WriteFile) -> None:
    corpus(write_file)
    reports = [
        run(tmp_path, tmp_path / "one", workers=1),
        run(tmp_path, tmp_path / "four", workers=4, chunk=3_000),
        run(tmp_path, tmp_path / "small", workers=1, chunk=100),
    ]
    assert digest(tmp_path / "one") == digest(tmp_path / "four") == digest(tmp_path / "small")
    assert reports[0].report() == reports[1].report() == reports[2].report()
    assert reports[0].dropped["duplicate.exact"] >= 12


def test_locale_hash_seed_and_time_change_nothing(tmp_path: Path, write_file: WriteFile) -> None:
    corpus(write_file, 40)
    script = (
        "import sys; from pathlib import Path; from lmcli.config import decode\n"
        "from lmcli.corpus.cleaning import clean; from lmcli.corpus.config import CleanConfig\n"
        "from lmcli.corpus.sources import resolve; from lmcli.progress import Silent\n"
        "from lmcli.corpus.recipe import chain_of\n"
        "sources, out = resolve(['c'], Path(sys.argv[1])), Path(sys.argv[2])\n"
        "config = decode(CleanConfig, {}); chain = chain_of(config, Path(sys.argv[1]))\n"
        "clean(sources, config, chain, out, workers=1, progress=Silent())"
    )
    digests = set()
    for number, (locale, seed) in enumerate([("C", "0"), ("tr_TR.UTF-8", "random")]):
        out = tmp_path / f"out{number}"
        environment = {**os.environ, "LC_ALL": locale, "PYTHONHASHSEED": seed, "TZ": f"UTC{number}"}
        subprocess.run([sys.executable, "-c", script, str(tmp_path), str(out)], check=True, env=environment)
        digests.add(digest(out))
    assert len(digests) == 1


def test_the_result_is_plain_parquet(tmp_path: Path, write_file: WriteFile) -> None:
    import pyarrow.parquet as pq

    corpus(write_file, 40)
    run(tmp_path, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "data")
    assert table.column_names == ["id", "text", "source", "language", "group"]
    assert table.column("text").to_pylist() == [document.text for document in read_clean(tmp_path / "out")]


def test_duplicates_may_stay(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("c/a.txt", "same")
    write_file("c/b.txt", "same")
    assert run(tmp_path, tmp_path / "one").documents_kept == 1
    assert run(tmp_path, tmp_path / "two", duplicates="keep").documents_kept == 2


def test_parts_of_a_long_file_have_names_of_their_own(
    tmp_path: Path, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_reader, "PART", 200)
    write_file("c/a.txt", "\n\n".join(f"Paragraph {number}." for number in range(30)))
    write_file("c/b.txt", "short")
    report = run(tmp_path, tmp_path / "out")
    ids = [document.id for document in read_clean(tmp_path / "out")]
    assert ids == [*(f"c/a.txt#{number}" for number in range(1, len(ids))), "c/b.txt"]
    assert report.documents_in == len(ids) > 2


def test_nothing_left_is_an_error_with_the_reasons(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("c/a.txt", " \n ")
    write_file("c/b.txt", "")
    with pytest.raises(InputError, match=r"no text is left of 2 documents \(empty 2\)"):
        run(tmp_path, tmp_path / "out")


def test_a_cleaned_corpus_that_is_damaged_says_so(tmp_path: Path, write_file: WriteFile) -> None:
    with pytest.raises(ArtifactError, match="no cleaned text"):
        list(read_clean(tmp_path))
    write_file("c/a.txt", "text")
    run(tmp_path, tmp_path / "out")
    part = tmp_path / "out" / "data" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(ArtifactError, match=r"part-00000\.parquet is damaged"):
        list(read_clean(tmp_path / "out"))
