"""Documents that share a bucket, joined to clusters: the connected components of all such pairs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from lmcli.corpus.ngrams import Hashes
from lmcli.corpus.repeats import equal_runs

Edges = npt.NDArray[np.uint64]


def bucket_edges(keys: Hashes, signed: npt.NDArray[np.bool_]) -> Edges:
    """(n, 2) pairs of places: of the documents that have one key in common, each with the first."""
    runs = [np.stack(run, axis=1) for run in equal_runs(keys, signed) if len(run[0])]
    return np.concatenate(runs) if runs else np.empty((0, 2), dtype=np.uint64)


def components(count: int, edges: Iterable[Edges]) -> Hashes:
    """(count,) for each place the smallest place that it is connected with, itself included."""
    labels = np.arange(count, dtype=np.uint64)
    pairs = [part for part in edges if len(part)]
    if pairs:
        _settle(labels, np.unique(np.concatenate(pairs), axis=0))
    return labels


def _settle(labels: Hashes, edges: Edges) -> None:
    """Each round gives both ends the smaller label, and each label that of the place it names, until all is calm."""
    left, right = edges[:, 0], edges[:, 1]
    while True:
        smaller = np.minimum(labels[left], labels[right])
        before = labels[labels]
        np.minimum.at(labels, labels[left], smaller)
        np.minimum.at(labels, labels[right], smaller)
        np.minimum.at(labels, left, smaller)
        np.minimum.at(labels, right, smaller)
        while not np.array_equal(shorter := labels[labels], labels):
            labels[:] = shorter
        if np.array_equal(labels, before) and np.array_equal(labels[left], labels[right]):
            return


def smallest_hash(labels: Hashes, digests: Hashes) -> Hashes:
    """(count,) the smallest text hash of each place's cluster."""
    smallest = np.full(len(labels), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(smallest, labels, digests)
    return smallest[labels]
