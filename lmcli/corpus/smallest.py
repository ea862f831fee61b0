"""The units of text whose hashes are smallest, in bounded memory: those that a split by hash puts aside."""

from __future__ import annotations

import heapq

HASHES = 20_000  # that are remembered
CHARACTERS = 1_000_000  # of the units of smallest hash whose texts are kept


class Smallest:
    """The smallest hashes of all units seen, with the characters that each stands for, and the texts of the first."""

    def __init__(self) -> None:
        self._characters: dict[int, int] = {}
        self._largest_first: list[int] = []
        self._texts = _Texts()
        self.overflowed = False

    def add(self, digest: int, characters: int, text: str) -> None:
        """Another unit; its `text` may be the first part of it only."""
        if digest in self._characters:
            self._characters[digest] += characters
        elif len(self._characters) < HASHES or digest < -self._largest_first[0]:
            self._characters[digest] = characters
            self._texts.add(digest, text)
            heapq.heappush(self._largest_first, -digest)
            if len(self._characters) > HASHES:
                self.overflowed = True
                del self._characters[-heapq.heappop(self._largest_first)]
        else:
            self.overflowed = True

    def threshold(self, wanted: int) -> tuple[int, int] | None:
        """The largest hash on the validation side and its characters: about `wanted`, but at least one unit.

        None when there is one hash only, so that nothing would be left to train on.
        """
        ordered = sorted(self._characters)
        if len(ordered) < 2:
            return None
        taken = self._characters[ordered[0]]
        last = ordered[0]
        for digest in ordered[1 : None if self.overflowed else -1]:
            if taken + self._characters[digest] / 2 > wanted:
                break
            taken += self._characters[digest]
            last = digest
        return last, taken

    def texts(self, threshold: int) -> list[str]:
        """The texts of the units up to a hash, as far as they are kept: about the first million characters."""
        return self._texts.up_to(threshold)


class _Texts:
    """Texts by their hash: the smallest ones, as few as have CHARACTERS together."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._largest_first: list[int] = []
        self._characters = 0

    def add(self, digest: int, text: str) -> None:
        if self._characters >= CHARACTERS and digest > -self._largest_first[0]:
            return
        self._texts[digest] = text
        self._characters += len(text)
        heapq.heappush(self._largest_first, -digest)
        while self._characters - len(self._texts[-self._largest_first[0]]) >= CHARACTERS:
            self._characters -= len(self._texts.pop(-heapq.heappop(self._largest_first)))

    def up_to(self, threshold: int) -> list[str]:
        return [text for digest, text in sorted(self._texts.items()) if digest <= threshold]
