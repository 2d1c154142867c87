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
COLUMNS = 132  # an image with its digest fits on a line


def main() -> None:
    """Run the demo in colour, and draw its output."""
    terminal = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    demo = subprocess.run(["slipway", "demo"], cwd=ROOT, env=terminal, stdout=subprocess.PIPE, text=True, check=True)
    printed = demo.stdout.replace(str(ROOT), "~/slipway")  # where the clone lies is nobody's business
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(Text.from_ansi(f"$ make demo\n{printed}"))
    picture = console.export_svg(title="slipway", unique_id="demo")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # a picture fetches nothing from elsewhere
    (ROOT / "docs/pictures/demo.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
