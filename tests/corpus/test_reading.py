from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from lmcli.corpus.readers import text as text_reader
from lmcli.errors import InputError, UsageError

from .conftest import Read, WriteFile


def test_a_text_file_is_a_document_with_every_character(write_file: WriteFile, read_all: Read) -> None:
    strange = "a\r\nb\rc\u2028d\x00e\x0b \n\n\n<|endoftext|>\t"
    write_file("c/a.txt", strange)
    write_file("c/b.md.gz", gzip.compress("# Title 你好".encode()))
    documents, tally = read_all("c")
    assert [(document.id, document.text) for document in documents] == [
        ("c/a.txt", strange),
        ("c/b.md.gz", "# Title 你好"),
    ]
    assert tally.report() == {
        "documents": 2,
        "encodings": {"utf-8": 2},
        "dropped": {},
        "replaced": 0,
        "surrogates": 0,
    }


def test_blank_files_are_counted_and_left_out(write_file: WriteFile, read_all: Read) -> None:
    write_file("c/a.txt", "")
    write_file("c/b.txt", b"\xef\xbb\xbf")
    write_file("c/d.txt", " \n\u3000\t")
    write_file("c/e.jsonl", '{"text": ""}\n{"text": "\\n"}\n{"text": " x"}')
    documents, tally = read_all("c")
    assert [(document.id, document.text) for document in documents] == [("c/e.jsonl:3", " x")]
    assert tally.dropped == {"empty": 5}


def test_a_blank_part_of_a_long_file_stays(
    write_file: WriteFile, read_all: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_reader, "PART", 1_000)
    write_file("a.txt", "x" + " \n" * 1_500_000)
    documents, tally = read_all("a.txt")
    assert "".join(document.text for document in documents) == "x" + " \n" * 1_500_000
    assert (len(documents) > 1, tally.documents, tally.dropped) == (True, 1, {})


def test_encodings_are_counted(write_file: WriteFile, read_all: Read) -> None:
    chinese = "第二章。他走进房间，看见桌子上放着一封信。信是他母亲写的，字迹已经有些模糊了。\n" * 20
    write_file("c/a.txt", chinese)
    write_file("c/b.txt", chinese.encode("gbk"))
    documents, tally = read_all("c")
    assert documents[0].text == documents[1].text == chinese
    assert tally.encodings == {"utf-8": 1, "gb18030": 1}


def test_bad_bytes_stop_are_replaced_or_drop_the_document(write_file: WriteFile, read_all: Read) -> None:
    write_file("c/bad.txt", b"one\ntw\xffo\xfe\nthree")
    write_file("c/good.txt", "fine")
    with pytest.raises(InputError, match=r"c/bad\.txt:2: .* byte offset 6"):
        read_all("c")
    documents, tally = read_all("c", encoding_errors="replace")
    assert [document.text for document in documents] == ["one\ntw\ufffdo\ufffd\nthree", "fine"]
    assert tally.replaced == 2
    documents, tally = read_all("c", encoding_errors="drop")
    assert [document.text for document in documents] == ["fine"]
    assert (tally.dropped, tally.encodings) == ({"encoding": 1}, {"utf-8": 1})


def test_a_long_file_arrives_in_parts_that_join_to_it(
    write_file: WriteFile, read_all: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_reader, "PART", 1_000)
    text = "\n\n".join(f"Paragraph {number} of the long file." for number in range(60_000))
    write_file("a.txt", text)
    write_file("b.txt", "x" * 2_500_000)
    documents, tally = read_all("a.txt", "b.txt")
    assert "".join(document.text for document in documents if document.id == "a.txt") == text
    assert "".join(document.text for document in documents if document.id == "b.txt") == "x" * 2_500_000
    assert [document.id for document in documents if document.ends] == ["a.txt", "b.txt"]
    assert all(document.text for document in documents)
    assert tally.documents == 2


def test_a_huge_line_is_read_in_little_memory(write_file: WriteFile) -> None:
    write_file("big.txt", b"x" * (80 << 20))
    write_file("small.txt", b"x")

    def peak(name: str) -> int:
        script = (
            "import resource, sys; from pathlib import Path; from lmcli.corpus.config import ReadingConfig\n"
            "from lmcli.corpus.reading import read; from lmcli.corpus.sources import resolve\n"
            "from lmcli.corpus.tally import Tally; from lmcli.progress import Silent\n"
            "sources = resolve([sys.argv[1]], Path('/'))\n"
            "print(sum(len(d.text) for d in read(sources, ReadingConfig(), Silent(), Tally())))\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        command = [sys.executable, "-c", script, str(write_file("p", "").parent / name)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1])

    assert peak("big.txt") - peak("small.txt") < 40 << 10  # KiB


def test_rows_are_no_documents(read_all: Read) -> None:
    with pytest.raises(UsageError, match="gives rows, not documents"):
        read_all("pydoc:signatures")


def test_importing_the_settings_imports_nothing_heavy() -> None:
    script = (
        "import sys, lmcli.corpus.config, lmcli.corpus.filters, lmcli.corpus.readers\n"
        "heavy = {'torch', 'numpy', 'datasets', 'tokenizers', 'pydantic', 'pyarrow', 'ftfy', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert output.strip() == "[]"


def test_a_folder_of_many_files_needs_few_open_ones(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}.txt").write_text("x")
    script = (
        "import resource, sys; from pathlib import Path; from lmcli.corpus.config import ReadingConfig\n"
        "from lmcli.corpus.reading import read; from lmcli.corpus.sources import resolve\n"
        "from lmcli.corpus.tally import Tally; from lmcli.progress import Silent\n"
        "sources = resolve(['.'], Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))\n"
        "print(len(list(read(sources, ReadingConfig(), Silent(), Tally()))))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "100"
