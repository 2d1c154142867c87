"""Parameter files that are none: a sentence and exit code 2, never a traceback, never a verdict."""

import pytest

from slipway.adapters import files
from slipway.errors import Broken


@pytest.mark.parametrize("text", ["", "- a list\n", "seed: 2013-13-45\n", "[" * 3000, "a: b: c\n", "train: &a [*a]\n"])
def test_what_is_no_parameter_file_is_broken(text: str) -> None:
    """Empty, a list, a date that is none, brackets without end, no YAML, an alias of itself."""
    with pytest.raises(Broken, match=r"params\.yaml"):
        files.parse_params(text, "params.yaml")
