"""A model that is trained further on a corpus: it brings its weights and shape along, and knows the tokenizer."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from lmcli.errors import ArtifactError, ConfigError
from lmcli.models.config import ModelConfig
from lmcli.models.directory import load_model, read_shape
from lmcli.models.families import FAMILIES
from lmcli.models.model import Model
from lmcli.tokens.tokenizer import Tokenizer


class Base:
    """The model in `directory`; its optimizer, if there ever was one, begins anew."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        family, self.shape = read_shape(directory)
        self.family = next(name for name in FAMILIES if FAMILIES.load(name) is family)
        self.parameters = self.shape.parameters

    def dials(self, asked: ModelConfig) -> ModelConfig:
        """The model's own shape as settings, with the dropout that is asked for.

        Raises ConfigError naming the settings that say otherwise; a default says nothing.
        """
        without = FAMILIES.load(self.family).without
        known = (field.name for field in dataclasses.fields(ModelConfig) if field.name not in without)
        names = [name for name in known if hasattr(self.shape, name)]
        own = {"family": self.family, **{name: getattr(self.shape, name) for name in names}}
        default = ModelConfig()
        wrong = [
            f"model.{name} = {getattr(asked, name)}, where it has {value}"
            for name, value in own.items()
            if getattr(asked, name) not in (value, getattr(default, name))
        ]
        if wrong:
            hint = "leave these settings out: a model that is trained further keeps its shape"
            raise ConfigError(f"{self.directory} has another shape: {'; '.join(sorted(wrong))}", hint)
        return dataclasses.replace(asked, **own)

    def model(self, dropout: float) -> Model:
        """A copy with its weights, ready to be trained."""
        return load_model(self.directory, dropout=dropout).train()


def check_tokenizer(base: Path, project: Path) -> None:
    """Raises ArtifactError unless the tokenizers in the two directories encode alike."""
    theirs, ours = Tokenizer.load(base), Tokenizer.load(project)
    what = None
    if theirs.vocab_size != ours.vocab_size:
        what = f"{theirs.vocab_size} tokens where the project's has {ours.vocab_size}"
    elif _encoding(theirs) != _encoding(ours):
        what = "other tokens or rules than the project's"
    elif theirs.end_id != ours.end_id:
        what = f"the end token {theirs.end_id} where the project's has {ours.end_id}"
    if what:
        hint = f"encode the corpus with the model's own: `lmcli tokenize --from {base}`"
        raise ArtifactError(f"the tokenizer of {base} has {what}", hint)


def _encoding(tokenizer: Tokenizer) -> dict[str, object]:
    parts = ("model", "normalizer", "pre_tokenizer", "decoder", "added_tokens")
    return {part: tokenizer.document.get(part) for part in parts}
