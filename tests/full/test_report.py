"""A rehearsal's page in a real browser: as wide as a telephone, in the dark, and without a request to anybody."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path

import pytest
from tests.rehearsal.test_report import BAD, ended, html, play

from slipway.commands.rehearse_play import Play

__all__ = ["play"]  # the fixture

MEASURE = """
const found = frame.contentDocument, style = name => getComputedStyle(found.querySelector(name));
const shown = name => style(name).display !== "none";
document.body.textContent = JSON.stringify({
  wide: found.documentElement.scrollWidth, drawn: found.querySelector(shown(".wide") ? ".wide svg" : ".narrow svg")
    .getBoundingClientRect().width,
  ground: style("body").backgroundColor, ink: style("svg text").fill, phone: shown(".narrow"), desk: shown(".wide"),
  asked: frame.contentWindow.performance.getEntriesByType("resource").length});
"""


def measured(page: str, width: int, folder: Path, *flags: str) -> dict[str, object]:
    """Lay a page out in a frame of a width, and measure it there."""
    chromium = shutil.which("chromium")
    assert chromium, "scripts/debian.sh installs it"
    inside = re.sub(r"<meta http-equiv.*?>", "", page)  # only so that the frame may be looked into
    frame = f'<iframe id="frame" style="width:{width}px;height:600px;border:0" srcdoc="{escape(inside)}"></iframe>'
    (folder / "outer.html").write_text(f"<body>{frame}<script>onload = () => {{{MEASURE}}}</script>", encoding="utf-8")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", *flags]
    done = subprocess.run(
        [*command, "--dump-dom", f"file://{folder}/outer.html"], capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(unescape(re.search(r"\{.*\}", done.stdout)[0]))


@pytest.mark.parametrize("width", [360, 1000])
def test_it_fits(play: Play, tmp_path: Path, width: int) -> None:
    """Nothing reaches over the edge; a telephone gets the drawing that is made for it, and nothing is fetched."""
    found = measured(html(play, ended(BAD[0][-1]), BAD[1]), width, tmp_path)
    assert found["wide"] <= width
    assert 300 < found["drawn"] <= width
    assert (found["phone"], found["desk"]) == (width == 360, width != 360)
    assert found["asked"] == 0


def test_it_is_dark_where_a_person_likes_it_dark(play: Play, tmp_path: Path) -> None:
    """Ground and words change places, in the drawing, too."""
    page = html(play, ended(BAD[0][-1]), BAD[1])
    light, dark = (measured(page, 1000, tmp_path, f"--blink-settings=preferredColorScheme={n}") for n in (1, 0))
    assert (light["ground"], light["ink"]) == ("rgb(255, 255, 255)", "rgb(34, 34, 34)")
    assert (dark["ground"], dark["ink"]) == ("rgb(22, 24, 28)", "rgb(230, 230, 230)")
