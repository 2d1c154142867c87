"""The picture of a rehearsal is what the view draws of the ticks beside it, and those are of the leak."""

import importlib.util
import json
import re
from types import ModuleType

import pytest
from tests.conftest import ROOT

PICTURES = ROOT / "docs/pictures"


@pytest.fixture(scope="module")
def make() -> ModuleType:
    """docs/pictures/make.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("make", PICTURES / "make.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_the_one_that_is_made(make: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changes the view makes it anew: python docs/pictures/make.py rehearsal. The terminal does not matter."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    assert (PICTURES / "rehearsal.svg").read_text(encoding="utf-8") == make.rehearsal()


def test_the_picture_fetches_nothing_and_shows_the_leak() -> None:
    """Aborted on truth, with figures, in colour; no address that a browser would ask."""
    drawn = (PICTURES / "rehearsal.svg").read_text(encoding="utf-8")
    assert not re.search(r"(href|src|url)\W*https?:", drawn)
    assert "@font-face" not in drawn
    shown = drawn.replace("&#160;", " ")
    last = json.loads((PICTURES / "rehearsal.jsonl").read_text().splitlines()[-1])
    assert (last["verdict"]["cause"], last["verdict"]["blame"]) == ("verdict", "truth")
    assert " ABORTED " in shown
    assert f"{last['traffic']['stable']['requests']:,}" in shown
    assert f"{last['verdict']['abort']:.2f} of 3.00<" in shown
    assert len(set(re.findall(r"fill: (#[0-9a-f]{6})", drawn))) > 3


def test_the_comment_shown_is_written_from_a_real_report(make: ModuleType) -> None:
    """Main's reader takes the report beside the picture, and its comment has every part that the page names."""
    text = make.written()
    assert text.startswith("## ✅ Accepted")
    assert "🔴 **Guard changed:** `rollouts/judge.yaml`" in text
    for part in ("### Gate", "### Metrics", "Slices", "### Rehearsal", "### Data", "How to reproduce"):
        assert part in text
    assert "Left out" not in text
    assert (PICTURES / "comment.png").read_bytes().startswith(b"\x89PNG")
