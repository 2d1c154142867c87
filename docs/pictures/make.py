"""Makes the pictures of the pages: of a real `slipway demo`, a real rehearsal's ticks, a real run's report.

python docs/pictures/make.py                # demo.svg; it takes as long as the demo
python docs/pictures/make.py rehearsal      # rehearsal.svg, from rehearsal.jsonl
python docs/pictures/make.py rehearsal build/rehearsal/production/ticks.jsonl   # keeps these ticks first
python docs/pictures/make.py comment        # comment.png, from report.json, in the colours of GitHub; needs chromium
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from markdown_it import MarkdownIt
from rich.console import Console, RenderableType
from rich.text import Text

from slipway import comment as comments
from slipway import records
from slipway.commands import rehearse_view
from slipway.comment import Known
from slipway.report import Data, Report
from slipway.rollout import telling
from slipway.rollout.records import Tick

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/pictures"
TICKS = PICTURES / "rehearsal.jsonl"
COLUMNS = 132
SCENE = ("3 · a leak", "4 · the twin")  # from its headline to the next one
REHEARSED = "production: 1.2.0 beside 1.1.0"
DRAWN = {  # what GitHub draws, or its font has in colours
    "[!CAUTION]": "<b class=red>Caution</b><br>",
    "✅": "<b class=green>✔</b>",
    "❌": "<b class=red>✘</b>",
    "🔴": "<b class=red>●</b>",
}
STYLE = """
.red { color: #cf222e } .green { color: #1a7f37 }
body { font: 14px/1.5 "Noto Sans", "DejaVu Sans", sans-serif; color: #1f2328; width: 900px; margin: 24px }
h2 { font-size: 1.5em; border-bottom: 1px solid #d1d9e0; padding-bottom: .3em } h3 { font-size: 1.25em }
code { font: 85% "DejaVu Sans Mono", monospace; background: #818b981f; border-radius: 6px; padding: .2em .4em }
pre { background: #f6f8fa; border-radius: 6px; padding: 16px } pre code { background: none; padding: 0 }
table { border-collapse: collapse; margin-bottom: 16px } th, td { border: 1px solid #d1d9e0; padding: 6px 13px }
tr:nth-child(2n) { background: #f6f8fa } summary { margin-bottom: 12px }
blockquote { border-left: .25em solid #cf222e; margin: 0 0 16px; padding: 0 1em }
"""


def main(what: str = "demo", *told: str) -> None:
    """Make one of them."""
    if what == "rehearsal":
        if told:
            TICKS.write_bytes(msgspec.json.Encoder().encode_lines(changes(_read(Path(told[0])))))
        (PICTURES / "rehearsal.svg").write_text(rehearsal(), encoding="utf-8")
    elif what == "comment":
        _photographed(comment(), PICTURES / "comment.png", height=int(told[0]) if told else 2900)
    else:
        (PICTURES / "demo.svg").write_text(demo(), encoding="utf-8")


def demo() -> str:
    """Run the demo in colour, and draw its third scene."""
    terminal = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    ended = subprocess.run(["slipway", "demo"], cwd=ROOT, env=terminal, stdout=subprocess.PIPE, text=True, check=True)
    lines = ended.stdout.replace(str(ROOT), "~/slipway").splitlines()  # where the clone lies is nobody's business
    begin, end = (next(number for number, line in enumerate(lines) if name in line) for name in SCENE)
    printed = "\n".join(["$ make demo", "...", *lines[begin : end - 1]])
    return _drawn(Text.from_ansi(printed), "slipway", COLUMNS)


def rehearsal() -> str:
    """Draw the last picture of the ticks that were kept."""
    screen = rehearse_view.Screen(REHEARSED)
    *_, last = [screen.frame(tick) for tick in _read(TICKS)]
    return _drawn(last, "slipway rehearse", rehearse_view.WIDTH)


def written() -> str:
    """Write the comment on a change that adds May and half of June, and asks the judge for less truth."""
    found = records.loads(Report, (PICTURES / "report.json").read_bytes(), "report.json")
    months = found.data.months[:-2] if found.data else ()
    known = Known(
        commit="b5f37923b1cf9492ef6253b3aa3cbcdbbccb4e96",
        base="93f30d6ef83610b51187b0f0b082ddd4fce2284a",
        version="1.1.0",
        guards=("rollouts/judge.yaml",),
        data=Data(digest="md5:e9eb6dfe04731e25cec022c037d41ff3.dir", months=months),
    )
    return comments.comment(found, known).markdown


def comment() -> str:
    """Write the page of the comment, as GitHub shows it once a reader has opened the slices."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    page = parser.render(written())
    page = page.replace("<details><summary>Slices", "<details open><summary>Slices")
    for ours, drawn in DRAWN.items():
        page = page.replace(ours, drawn)
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{page}"


def _photographed(page: str, into: Path, height: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "page.html").write_text(page, encoding="utf-8")
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size=948,{height}")
        where = (f"--user-data-dir={folder}/profile", f"--screenshot={into}", f"file://{folder}/page.html")
        subprocess.run(["chromium", *flags, *where], check=True, capture_output=True)


def changes(ticks: Sequence[Tick]) -> list[Tick]:
    """Leave out ticks between which nothing has changed that is told."""
    keys = [telling.key(tick) for tick in ticks]
    return [tick for n, tick in enumerate(ticks) if n in (0, len(ticks) - 1) or keys[n] != keys[n - 1]]


def _read(path: Path) -> list[Tick]:
    return msgspec.json.Decoder(Tick).decode_lines(path.read_bytes())


def _drawn(what: RenderableType, title: str, columns: int) -> str:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=columns, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(what)
    picture = console.export_svg(title=title, unique_id=title.rpartition(" ")[2].replace("slipway", "demo"))
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # a picture fetches nothing from elsewhere


if __name__ == "__main__":
    main(*sys.argv[1:])
