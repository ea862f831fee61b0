"""Encodes documents as most scripts do: `datasets.map` in processes, then one file of ids.

python datasets_encoding.py DOCUMENTS TOKENIZER OUT PROCESSES
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from datasets import load_dataset
from tokenizers import Tokenizer

SHARDS = 64  # as many pieces does nanoGPT write the ids in; it has 1024, of a corpus a thousand times as large


def main() -> None:
    documents, folder, out, processes = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end = tokenizer.token_to_id("<|endoftext|>")

    def encode(rows: dict[str, list[str]]) -> dict[str, list[Any]]:
        tokenizer.encode_special_tokens = True  # not kept on the way to another process
        found = [[*part.ids, end] for part in tokenizer.encode_batch_fast(rows["text"], add_special_tokens=False)]
        return {"ids": found, "length": [len(ids) for ids in found]}

    files = sorted(map(str, documents.glob("*.jsonl")))
    data = load_dataset("json", data_files=files, split="train")
    data = data.map(encode, batched=True, remove_columns=["text"], num_proc=processes)
    ids = np.memmap(out / "train-00000.bin", dtype=np.uint16, mode="w+", shape=(sum(data["length"]),))
    place = 0
    for number in range(SHARDS):
        part = data.shard(num_shards=SHARDS, index=number, contiguous=True).with_format("numpy")
        if len(part):
            joined = np.concatenate(part["ids"])
            ids[place : place + len(joined)] = joined
            place += len(joined)
    ids.flush()


if __name__ == "__main__":
    main()
