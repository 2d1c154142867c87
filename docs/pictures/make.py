"""Makes the pictures of the pages: demo.svg from a real `slipway demo`, rehearsal.svg from a real rehearsal's ticks.

python docs/pictures/make.py                # demo.svg; it takes as long as the demo
python docs/pictures/make.py rehearsal      # rehearsal.svg, from rehearsal.jsonl
python docs/pictures/make.py rehearsal build/rehearsal/production/ticks.jsonl   # keeps these ticks first
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console, RenderableType
from rich.text import Text

from slipway.commands import rehearse_view
from slipway.rollout import telling
from slipway.rollout.records import Tick

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/pictures"
TICKS = PICTURES / "rehearsal.jsonl"
COLUMNS = 132
SCENE = ("3 · a leak", "4 · the twin")  # from its headline to the next one
REHEARSED = "production: 1.2.0 beside 1.1.0"


def main(what: str = "demo", *told: str) -> None:
    """Make one of them."""
    if what == "rehearsal":
        if told:
            TICKS.write_bytes(msgspec.json.Encoder().encode_lines(changes(_read(Path(told[0])))))
        (PICTURES / "rehearsal.svg").write_text(rehearsal(), encoding="utf-8")
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
