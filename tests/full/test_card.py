"""A model card's page in a real browser: as wide as a telephone, in the dark, and without a request to anybody."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path

import pytest
from tests.unit.test_card import DOCUMENT, METRICS

from slipway.adapters import page
from slipway.card import read

MEASURE = """
const found = frame.contentDocument, box = element => element.getBoundingClientRect();
const edge = found.documentElement.clientWidth, words = [...found.querySelectorAll("p, li, dd, b, .ticks span")];
const over = words.filter(each => box(each).right > edge || box(each).left < 0);
document.body.textContent = JSON.stringify({
  wide: found.documentElement.scrollWidth, over: over.map(each => each.textContent.slice(0, 40)),
  drawn: [...found.querySelectorAll(".reach")].filter(each => box(each).width > 2).length,
  ground: getComputedStyle(found.body).backgroundColor, ink: getComputedStyle(found.body).color,
  asked: frame.contentWindow.performance.getEntriesByType("resource").length});
"""


def measured(width: int, folder: Path, *flags: str) -> dict[str, object]:
    """Lay the page out in a frame of a width, and measure it there."""
    chromium = shutil.which("chromium")
    assert chromium, "scripts/debian.sh installs it"
    inside = re.sub(
        r"<meta http-equiv.*?>", "", page.render_card(read(DOCUMENT))
    )  # only so that the frame is looked into
    frame = f'<iframe id="frame" style="width:{width}px;height:600px;border:0" srcdoc="{escape(inside)}"></iframe>'
    (folder / "outer.html").write_text(f"<body>{frame}<script>onload = () => {{{MEASURE}}}</script>", encoding="utf-8")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", *flags]
    done = subprocess.run(
        [*command, "--dump-dom", f"file://{folder}/outer.html"], capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(unescape(re.search(r"\{.*\}", done.stdout)[0]))


@pytest.mark.parametrize("width", [360, 1000])
def test_it_fits(tmp_path: Path, width: int) -> None:
    """Nothing reaches over the edge, each interval is drawn, and nothing is fetched."""
    found = measured(width, tmp_path)
    assert width - 20 <= found["wide"] <= width  # less a bar to scroll with
    assert found["over"] == []
    assert found["drawn"] == len(METRICS.overall) + sum(each.auc is not None for each in METRICS.slices)
    assert found["asked"] == 0


def test_it_is_dark_where_a_person_likes_it_dark(tmp_path: Path) -> None:
    """Ground and words change places."""
    light, dark = (measured(1000, tmp_path, f"--blink-settings=preferredColorScheme={n}") for n in (1, 0))
    assert (light["ground"], light["ink"]) == ("rgb(255, 255, 255)", "rgb(34, 34, 34)")
    assert (dark["ground"], dark["ink"]) == ("rgb(22, 24, 28)", "rgb(230, 230, 230)")
