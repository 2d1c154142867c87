"""What params.yaml may say."""

from pathlib import Path

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
