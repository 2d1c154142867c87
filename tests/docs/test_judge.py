"""The page on the judge: it names each reason, each metric and the plan that the code has."""

import re
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from slipway.__main__ import app
from slipway.canary.records import Reason

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/judge.md").read_text(encoding="utf-8")
METERS = (ROOT / "src/slipway/services/judge/meters.py").read_text(encoding="utf-8")


def test_every_reason_is_explained() -> None:
    """Whatever can hold a promotion stands in the table, with what to do, and nothing else does."""
    table = PAGE.partition("| held |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == set(get_args(Reason))


def test_every_metric_is_explained() -> None:
    """What the judge exports stands in the table, a counter with its suffix."""
    kinds = re.findall(r'(Counter|Gauge|Histogram)\(\s*"(slipway_judge_\w+)"', METERS)
    exported = {name + ("_total" if kind == "Counter" else "") for kind, name in kinds}
    assert set(re.findall(r"^\| `(slipway_judge_\w+)` \|", PAGE, re.MULTILINE)) == exported


def test_the_plan_shown_is_the_one_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page shows what `slipway judge plan` prints for the policy, the manifests and the traffic at hand."""
    monkeypatch.chdir(ROOT)
    printed = CliRunner().invoke(app, ["judge", "plan"], env={"COLUMNS": "120"}).stdout
    shown = PAGE.partition("```text\n")[2].partition("```")[0]
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()


def test_the_canary_shown_is_the_leak() -> None:
    """The saved trace, of which the picture is drawn, ends as the pages say; what is asked for now is not reached."""
    told = CliRunner().invoke(app, ["judge", "explain", str(ROOT / "docs/pictures/judge.json")]).stdout
    assert re.search(r"ABORT after \d+ s: truth", told)
    verdict = told.partition("weight")[2].partition("errors")[0]
    assert re.search(r"harmless .* 0% *\n", verdict)
    assert re.search(r"worse .* 100% reached", verdict)


def test_the_figures_are_those_of_the_bench() -> None:
    """The shares that the page compares rules by are the ones that the bench has printed."""
    printed = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8").partition("<!-- judge:begin -->")[2]
    stationary, drifting = (table.partition("\n\n")[0].splitlines() for table in printed.split("| aborted by ")[1:3])

    def shares(table: list[str], rule: str) -> list[str]:
        (row,) = (line for line in table if line.startswith(f"| {rule} |"))
        return re.findall(r"\| ([\d.]+%)", row)

    rows = PAGE.partition("| rule |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(rows) == 6
    for row in rows:
        rule, *shown = (cell.strip() for cell in row.strip("| ").split("|"))
        assert shown == [*shares(stationary, rule)[:2], shares(drifting, rule)[0]], rule
    sold = (ROOT / "README.md").read_text(encoding="utf-8").partition("## A verdict")[2].partition("\n## ")[0]
    told = [*(shares(stationary, f"Argo, {limit}")[place] for limit, place in (("tight", 0), ("loose", 1)))]
    assert re.findall(r"[\d.]+%", sold)[:4] == [*told, *shares(stationary, "Slipway")[:2]]
