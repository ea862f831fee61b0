"""WordPiece as BERT has it: words cut greedily into the longest pieces, those inside a word marked with ##.

White space is not kept: words come back with one space between them. `tokenizers`' own WordPiece trainer orders pieces
by a hash map, differently in each run (tokenizers#1794), so pieces are learned by plain BPE with a sign at the start of
each word, which has no such order, and then renamed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from lmcli.progress import Progress
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.kinds.trained import Trained, automatic_vocab_size, unknown_share, wanted_size
from lmcli.tokens.sampling import TrainingSample
from lmcli.tokens.special import UNKNOWN

INSIDE = "##"
LONGEST_WORD = 100
"""Characters; longer words are unknown, as in BERT."""
BOUNDARY = re.compile("[ \t\r\n\u4e00-\u9fff]")
"""White space separates words and is dropped; Chinese characters stand alone."""

_START = "\ue000"  # for private use, so the normalizer has removed it from the text
_MORE = 8192
_ALONE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]|[^\\w]|_")


def train(texts: Iterable[str], size: int, config: TokenizerConfig, progress: Progress) -> Trained:
    """Learn pieces from a sample of `texts`; `auto` means what it does for bpe.

    The vocabulary is U+FFFD for what is unknown, the characters, those inside of words with ##, then pieces in the
    order in which they were learned. ConfigError for a vocabulary that can't hold the characters.
    """
    fixed = len(_vocabulary(_ascii(config), []))
    wanted = wanted_size(config, automatic_vocab_size(size), fixed, f"{fixed} characters of ASCII")
    learner = _prepared(Tokenizer(models.BPE()), config)
    start = pre_tokenizers.Metaspace(replacement=_START, prepend_scheme="always", split=False)
    learner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), start])
    trainer = trainers.BpeTrainer(
        vocab_size=wanted + min(wanted, _MORE),  # each character that stands alone costs a merge with the start
        min_frequency=config.min_frequency,
        special_tokens=[],
        show_progress=False,
    )
    with progress.task("train tokenizer", total=size, unit="B") as task:
        sample = TrainingSample(texts, size, config.sample_bytes, task)
        learner.train_from_iterator(sample, trainer)
    common = Counter(sign for text in sample.probe for sign in learner.normalizer.normalize_str(text))
    learned = learner.get_vocab(with_added_tokens=False)
    vocab = _renamed(learned, wanted, _ascii(config), common)
    model = models.WordPiece(
        vocab=vocab, unk_token=UNKNOWN, max_input_chars_per_word=LONGEST_WORD, continuing_subword_prefix=INSIDE
    )
    backend = _prepared(Tokenizer(model), config)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix=INSIDE, cleanup=True)
    losses = "white space is not kept" + (", nor are capitals and accents" if config.lowercase else "")
    share = unknown_share(backend, UNKNOWN, sample.probe)
    return Trained(backend, wanted, sample.sampled_bytes, sample.left_out_characters, share, losses)


def _prepared(backend: Tokenizer, config: TokenizerConfig) -> Tokenizer:
    backend.normalizer = normalizers.BertNormalizer(lowercase=config.lowercase)
    return backend


def _ascii(config: TokenizerConfig) -> list[str]:
    """The characters that every vocabulary has, so that no mark, digit or unaccented letter is ever unknown."""
    signs = [chr(code) for code in range(0x21, 0x7F)]
    return [sign for sign in signs if not (config.lowercase and sign.isupper())]


def _renamed(learned: dict[str, int], wanted: int, always: list[str], common: Mapping[str, int]) -> dict[str, int]:
    """The first `wanted` WordPiece tokens that BPE's tokens, from the first merge on, stand for.

    Characters other than `always` fill half of them at most, the most `common` first.
    """
    order = sorted(learned, key=learned.__getitem__)
    others = [token for token in order if len(token) == 1 and token not in {_START, *always}]
    room = (wanted - len(_vocabulary(always, []))) // 2
    others.sort(key=lambda sign: (-common.get(sign, 0), sign))
    sizes = accumulate(1 if _ALONE.fullmatch(sign) else 2 for sign in others)
    others = [sign for sign, size in zip(others, sizes, strict=True) if size <= room]
    tokens = _vocabulary(sorted([*always, *others]), [token for token in order if len(token) > 1])
    return {token: place for place, token in enumerate(tokens[:wanted])}


def _vocabulary(characters: list[str], merged: list[str]) -> list[str]:
    inside = [f"{INSIDE}{sign}" for sign in characters if not _ALONE.fullmatch(sign)]
    pieces = [token[1:] if token.startswith(_START) else f"{INSIDE}{token}" for token in merged]
    return list(dict.fromkeys([UNKNOWN, *characters, *inside, *pieces]))
