"""Makes demo.svg, the picture of the README, from what a real `slipway demo` prints. It takes as long as the demo.

python docs/pictures/make.py
"""

import os
import re
import subprocess
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[2]
COLUMNS = 132
SCENE = ("3 · a leak", "4 · the twin")  # from its headline to the next one


def main() -> None:
    """Run the demo in colour, and draw its third scene."""
    terminal = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    demo = subprocess.run(["slipway", "demo"], cwd=ROOT, env=terminal, stdout=subprocess.PIPE, text=True, check=True)
    (ROOT / "docs/pictures/demo.svg").write_text(drawn(demo.stdout), encoding="utf-8")


def drawn(printed: str) -> str:
    """The picture of a scene of what was printed."""
    first, last = SCENE
    lines = printed.replace(str(ROOT), "~/slipway").splitlines()  # where the clone lies is nobody's business
    begin, end = (next(number for number, line in enumerate(lines) if name in line) for name in (first, last))
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(Text.from_ansi("\n".join(["$ make demo", "...", *lines[begin : end - 1]])))
    picture = console.export_svg(title="slipway", unique_id="demo")
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # a picture fetches nothing from elsewhere


if __name__ == "__main__":
    main()
