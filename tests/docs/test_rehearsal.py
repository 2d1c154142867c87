"""docs/rehearsal.md against the tests that it speaks of."""

from pathlib import Path

from challengers.releases import CASES

DASH = "\N{EN DASH}"
PAGE = (Path(__file__).parents[2] / "docs/rehearsal.md").read_text(encoding="utf-8")


def test_the_table_of_challengers_is_what_the_tests_ask_for() -> None:
    """Name by name: cause, blame and bound; and what was measured is within the bound."""
    lines = PAGE.partition("## Challengers")[2].partition("\n\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")][2:]
    assert [row[0].split(":")[0].replace("one byte of the model changed", "one-byte") for row in rows] == list(CASES)
    for (_, _, cause, blame, measured, bound), case in zip(rows, CASES.values(), strict=True):
        assert (cause, blame) == (" or ".join(case.causes), case.blame or DASH)
        if case.outcome == "aborted":
            assert int(bound.replace(",", "")) == case.most
            assert 3 * int(measured.replace(",", "").rpartition(DASH)[2]) <= case.most
