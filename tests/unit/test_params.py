"""What params.yaml may say."""

from pathlib import Path
from typing import Any

import pytest

from slipway import params
from slipway.adapters import files
from slipway.errors import Broken

TEXT = (Path(__file__).parents[2] / "params.yaml").read_text()


@pytest.mark.parametrize("confidence", [0, 1])
def test_confidence_is_neither_none_nor_all(confidence: int) -> None:
    """An interval without width would make every cautious end the value itself."""
    raw = files.parse_yaml(TEXT, "params.yaml")
    raw["evaluate"]["confidence"] = confidence

    with pytest.raises(Broken, match=r"evaluate\.confidence"):
        params.parse(raw)


def test_guards_are_read_whatever_the_other_sections_say() -> None:
    """The guards of an older commit can be read though its other sections have keys of their own, or are absent."""
    raw = files.parse_yaml(TEXT, "params.yaml")
    found = params.guards({"gate": raw["gate"], "evaluate": raw["evaluate"], "train": {"unknown": 1}}, "base")

    assert found == params.Guards(gate=params.parse(raw).gate, evaluate=params.parse(raw).evaluate)
    with pytest.raises(Broken, match="evaluate"):
        params.guards({"gate": raw["gate"]}, "base")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("train", "seed", -1),
        ("evaluate", "bootstrap_rounds", 10**14),
        ("evaluate", "missed_cost", float("inf")),
        ("prepare", "test_months", 0),
        ("prepare", "tset_months", 1),
        ("gate", "auc_floor", 1.5),
        ("gate", "auc_floor", float("nan")),
        ("validate", "duplicates", "yes"),
    ],
)
def test_a_value_out_of_bounds_is_broken(section: str, key: str, value: Any) -> None:
    """The section and the key are named."""
    raw = files.parse_yaml(TEXT, "params.yaml")
    raw[section][key] = value

    with pytest.raises(Broken, match=section):
        params.parse(raw)
