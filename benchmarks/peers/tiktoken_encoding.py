"""Encodes documents by tiktoken with the merges of a tokenizer, and writes down how long only that took.

python tiktoken_encoding.py DOCUMENTS TOKENIZER OUT THREADS
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import tiktoken

from lmcli.tokens.byte_pairs import ranks_of
from lmcli.tokens.tokenizer import Tokenizer


def main() -> None:
    documents, folder, out, threads = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    tokenizer = Tokenizer.load(folder)
    ranks = ranks_of(tokenizer)
    if ranks is None or tokenizer.pattern is None:
        raise SystemExit("tiktoken can't have this tokenizer")
    special = {"<|endoftext|>": tokenizer.end_id}
    encoding = tiktoken.Encoding("same", pat_str=tokenizer.pattern, mergeable_ranks=ranks, special_tokens=special)
    texts = [
        json.loads(line)["text"] for path in sorted(documents.glob("*.jsonl")) for line in path.open(encoding="utf-8")
    ]
    encoding.encode_ordinary(texts[0])
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    found = encoding.encode_ordinary_batch(texts, num_threads=threads)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    used = {"seconds": seconds, "cpu": cpu, "memory": after.ru_maxrss / 1024}
    (out / "seconds.json").write_text(json.dumps(used))
    np.concatenate([[*ids, tokenizer.end_id] for ids in found]).astype("<u2").tofile(out / "train-00000.bin")


if __name__ == "__main__":
    main()
