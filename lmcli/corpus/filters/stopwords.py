"""Words that nearly every text has."""

from __future__ import annotations

import functools
import re
from typing import Annotated, Literal

from lmcli.config import section
from lmcli.corpus.words import PUNCTUATION

# Our own short lists of function words: articles, pronouns, prepositions, conjunctions, auxiliaries, particles.
_LISTS = {
    "en": """a an the this that these those i you he she it we they me him her us them my your his its our their of in
        on at by for from to with about into over under between and or but nor so if because as than then when while
        where who whom which what is am are was were be been being have has had do does did will would can could shall
        should may might must not no there here""",
    "de": """der die das den dem des ein eine einen einem einer eines ich du er sie es wir ihr mich dich ihn uns euch
        mir dir ihm ihnen mein dein sein unser und oder aber sondern denn wenn als ob dass weil wie in im an am auf aus
        bei beim mit nach von vom vor zu zum zur für durch gegen ohne um über unter zwischen ist bin bist sind war waren
        sei wird werden wurde hat haben hatte kann können soll muss darf nicht kein keine auch nur noch schon so da hier
        dort man sich""",
    "fr": """le la les l' un une des du de d' au aux je j' tu il elle on nous vous ils elles me m' te t' se s' lui leur
        y en mon ma mes ton ta tes son sa ses notre votre nos vos ce c' cet cette ces qui que qu' quoi dont où et ou
        mais donc or ni car si comme quand dans par pour avec sans sur sous entre chez est suis es sommes êtes sont
        était être ai as a avons avez ont avait avoir ne n' pas plus""",
    "es": """el la los las lo un una unos unas de del al a en con por para sin sobre entre desde hasta yo tú él ella
        nosotros vosotros ellos ellas me te se nos os le les mi tu su mis tus sus este esta estos estas ese esa eso y e
        o u pero sino ni si que quien cual donde cuando como porque es soy eres somos son era fue ser está están estar
        he ha han había haber no muy más ya""",
    "zh": """的 了 着 过 得 地 和 与 及 或 而 但 但是 而且 因为 所以 如果 虽然 在 从 向 对 于 把 被 给 以 为 由 是
        有 也 都 就 还 又 很 不 没 没有 这 那 这个 那个 这些 那些
        我 你 您 他 她 它 我们 你们 他们 她们 它们 吗 呢 吧 啊 呀 嘛 之 其""",
}

_PART = rf"[^\s{PUNCTUATION}]++"
_WORD = re.compile(rf"{_PART}(?:['’\-]{_PART})*+")
_APOSTROPHE = re.compile("['’]")


@section
class Stopwords:
    """Removes stop words, with one space beside each.

    Off in every preset, for it harms a model that writes text: it learns sentences without articles, prepositions and
    "not", can't write any others, and its perplexity compares with nobody's. For counting topics or words it's of use.
    Chinese words are removed where they stand between spaces: list `segment` before this filter.
    """

    languages: Annotated[
        tuple[Literal["en", "de", "fr", "es", "zh"], ...], "built-in lists that are used; none for `words` alone"
    ] = ("en",)
    words: Annotated[tuple[str, ...], "more words to remove, in any case"] = ()

    def apply(self, text: str) -> str:
        stop = _stop_words(self.languages, self.words)
        pieces, place = [], 0
        for match in _WORD.finditer(text):
            length = _length(match[0], stop)
            if not length:
                continue
            start, end = match.start(), match.start() + length
            if start > place and text[start - 1] == " ":
                start -= length == len(match[0])  # what an elided article leaves still is a word behind a space
            elif text.startswith(" ", end):
                end += 1
            pieces.append(text[place:start])
            place = end
        pieces.append(text[place:])
        return "".join(pieces)


def _length(word: str, stop: frozenset[str]) -> int:
    """How many characters of the word go: all, those of an elided one such as l' before a noun, or none."""
    if word.lower() in stop:
        return len(word)
    elided = _APOSTROPHE.search(word)
    if not elided or f"{word[: elided.start()].lower()}'" not in stop:
        return 0
    return len(word) if word[elided.end() :].lower() in stop else elided.end()


@functools.cache
def _stop_words(languages: tuple[str, ...], more: tuple[str, ...]) -> frozenset[str]:
    listed = (word for language in languages for word in _LISTS[language].split())
    return frozenset(word.lower() for word in (*listed, *more))
