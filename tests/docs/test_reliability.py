"""The page on reliability: a run can write its tables, and each test that they name is there."""

import re

import pytest
from tests.cluster.chaos.report import BEGIN, EDGES, END, PAGE, ROOT


def test_the_tables_have_a_place() -> None:
    """Between two markers, each there once; all else is written by hand."""
    text = PAGE.read_text(encoding="utf-8")
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert text.index(BEGIN) < text.index(END)


@pytest.mark.parametrize("name", sorted({test for *_, tests in EDGES for test in tests.split(", ")}))
def test_what_shows_it_is_a_test(name: str) -> None:
    """Where the controllers fail open, a test shows what happens here."""
    path, _, function = name.partition("::")
    assert re.search(rf"^def {function}\(", (ROOT / path).read_text(), re.MULTILINE)
