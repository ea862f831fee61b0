"""How much of the validation text stands in the training text as well, in spite of a split by hash.

Texts are compared clause by clause: lines, or sentences where lines are long. A clause of some length that stands in
both, character for character, is copied or boilerplate. A validation unit (a document or block) half of which is such
clauses is taken for a near duplicate. A copy in which each clause was edited is not seen, so this is a lower bound.
Looking costs a split and a hash of the training text at the speed of C, some percent of encoding it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

SHORTEST = 32  # characters; shorter clauses recur by chance. Chinese and the like need fewer of them:
SHORTEST_SPACELESS = 12
LONG_LINE = 200  # characters, on average: looking for full stops everywhere would take as long again
DUPLICATE = 0.5  # of the characters of a unit's clauses, from which on it counts as a near duplicate


class Leakage:
    """What of the validation side was seen in training. `look` may be called from many threads; `add` from one."""

    def __init__(self, units: Iterable[str]) -> None:
        self._units = [[clause for clause in clauses(unit) if _is_long(clause)] for unit in units]
        self._wanted = frozenset(clause for unit in self._units for clause in unit)
        self._seen: set[str] = set()

    def look(self, text: str) -> Set[str]:
        """Those clauses of the validation side that stand in a training text."""
        return self._wanted.intersection(clauses(text)) if self._wanted else frozenset()

    def add(self, seen: Set[str]) -> None:
        self._seen.update(seen)

    @property
    def share(self) -> float | None:
        """The part of the validation text in units that stand in training text by half; None where none was compared.

        Characters are counted in clauses of some length.
        """
        leaked = [unit for unit in self._units if _seen_of(unit, self._seen) >= DUPLICATE * max(1, _size(unit))]
        total = sum(map(_size, self._units))
        return sum(map(_size, leaked)) / total if total else None

    @property
    def copied(self) -> float | None:
        """The part of the validation text that stands in the training text, boilerplate too."""
        total = sum(map(_size, self._units))
        return sum(_seen_of(unit, self._seen) for unit in self._units) / total if total else None


def clauses(text: str) -> list[str]:
    """The lines of a text; where they are long, what lies between full stops."""
    if text.count("\n") * LONG_LINE < len(text):
        text = text.replace(". ", "\n") if text.isascii() else text.replace(". ", "\n").replace("。", "\n")
    return text.split("\n")


def _is_long(clause: str) -> bool:
    return len(clause) >= SHORTEST or (len(clause) >= SHORTEST_SPACELESS and len(clause.encode()) >= 2 * len(clause))


def _size(unit: Sequence[str]) -> int:
    return sum(map(len, unit))


def _seen_of(unit: Sequence[str], seen: Set[str]) -> int:
    return sum(len(clause) for clause in unit if clause in seen)
