from __future__ import annotations

import pytest

from lmcli.errors import ConfigError
from lmcli.models.config import ModelConfig
from lmcli.models.families import FAMILIES, family_of
from lmcli.models.presets import PRESETS, with_preset

# Parameters by the published configs, with the vocabulary that they have there.
PUBLISHED = {
    "gpt2-124m": (50257, 124_439_808),
    "gpt2-355m": (50257, 354_823_168),
    "gpt2-774m": (50257, 774_030_080),
    "gpt2-1.5b": (50257, 1_557_611_200),
    "smollm2-135m": (49152, 134_515_008),
    "smollm2-360m": (49152, 361_821_120),
    "tinyllama-1.1b": (32000, 1_100_048_384),
    "llama2-7b": (32000, 6_738_415_616),
    "llama3-8b": (128256, 8_030_261_248),
    "qwen3-1.7b": (151936, 1_720_574_976),
    "qwen3-8b": (151936, 8_190_735_360),
    "nanochat-d20": (65536, 560_988_160),
    "bert-base": (30522, 110_106_428),
    "roberta-base": (50265, 124_697_433),
    "t5-small": (32128, 60_506_624),
    "t5-base": (32128, 222_903_552),
    "t5-v1.1-base": (32128, 247_577_856),
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_can_be_built(name: str) -> None:
    model = with_preset(ModelConfig(preset=name), {"preset"})
    shape = family_of(model).shape_of(model, PUBLISHED.get(name, (30_000, 0))[0])
    if name in PUBLISHED:
        assert shape.parameters == PUBLISHED[name][1]


def test_there_is_a_small_one_of_each() -> None:
    small = {sizes["family"] for name, sizes in PRESETS.items() if name.endswith("-mini")}
    assert small == {sizes["family"] for sizes in PRESETS.values()} == FAMILIES.keys() - {"electra-generator"}


def test_given_keys_win() -> None:
    asked = ModelConfig(preset="llama3-8b", depth=2, rope_theta=10_000.0)
    model = with_preset(asked, {"preset", "depth", "rope_theta"})
    assert (model.family, model.width, model.depth, model.rope_theta) == ("llama", 4096, 2, 10_000.0)


def test_no_preset_changes_nothing() -> None:
    assert with_preset(ModelConfig(width=64), {"width"}) == ModelConfig(width=64)


def test_an_unknown_preset_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown preset 'gpt2-124'") as caught:
        with_preset(ModelConfig(preset="gpt2-124"), {"preset"})
    assert caught.value.hint == "did you mean gpt2-124m?"


def test_a_preset_of_another_family_than_the_given_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"of the family gpt2, and model\.family is qwen3"):
        with_preset(ModelConfig(preset="gpt2-124m"), {"preset", "family"})
