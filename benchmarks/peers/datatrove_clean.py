"""Runs in an environment with datatrove: the rules of `benchmarks/clean.py` as its pipeline. Writes the kept ids.

python datatrove_clean.py DOCUMENTS OUT ours|own SETTINGS
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    ExactDedupFilter,
    ExactDedupSignature,
    ExactFindDedups,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.exact_dedup import ExactDedupConfig
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.word_tokenizers import WordTokenizer

TASKS = 8
WORKERS = 2


class Splitter(WordTokenizer):
    """The same words that lmcli's rules see."""

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.pattern = re.compile(pattern)

    def word_tokenize(self, text: str) -> list[str]:
        return self.pattern.findall(text)

    def sent_tokenize(self, text: str) -> list[str]:
        raise NotImplementedError

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        raise NotImplementedError


def text_of(document: object) -> str:
    return document.text


def run(steps: list, out: Path, name: str, tasks: int, workers: int = WORKERS) -> None:
    LocalPipelineExecutor(
        pipeline=steps, tasks=tasks, workers=workers, logging_dir=str(out / "logs" / name), skip_completed=False
    ).run()


def main() -> None:
    documents, out = sys.argv[1], Path(sys.argv[2])
    settings = json.loads(sys.argv[4])
    language = Splitter(settings["tokens"]) if sys.argv[3] == "ours" else "eng"
    filtered, exact, unique, sigs, pairs, clusters, final = (
        str(out / name) for name in ("filtered", "exact", "unique", "signatures", "pairs", "clusters", "final")
    )
    config = ExactDedupConfig(content_getter=text_of)
    quality = GopherQualityFilter(max_non_alpha_words_ratio=settings["alphabetic"], language=language)
    rules = [quality, GopherRepetitionFilter(language=language)]
    run([JsonlReader(documents), *rules, JsonlWriter(filtered, compression=None)], out, "rules", TASKS)
    run([JsonlReader(filtered), ExactDedupSignature(exact, config=config)], out, "exact1", TASKS)
    run([ExactFindDedups(exact, exact + "-dups", config)], out, "exact2", 1, 1)
    keep = [ExactDedupFilter(exact + "-dups", config), JsonlWriter(unique, compression=None)]
    run([JsonlReader(filtered), *keep], out, "exact3", TASKS)
    run([JsonlReader(unique), MinhashDedupSignature(sigs, language=language)], out, "near1", TASKS)
    run([MinhashDedupBuckets(sigs, pairs)], out, "near2", 14)
    run([MinhashDedupCluster(pairs, clusters)], out, "near3", 1, 1)
    last = [MinhashDedupFilter(clusters), JsonlWriter(final, compression=None)]
    run([JsonlReader(unique), *last], out, "near4", TASKS)
    lines = [line for path in sorted(Path(final).glob("*.jsonl")) for line in path.read_text().split("\n") if line]
    (out / "kept.txt").write_text("\n".join(json.loads(line)["id"] for line in lines))


if __name__ == "__main__":
    main()
