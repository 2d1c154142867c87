"""What a person sees of a rehearsal: a picture in a terminal, lines elsewhere."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from tests.conftest import ROOT
from tests.rehearsal.played import play

from slipway.canary.records import Hold
from slipway.commands import rehearse_view
from slipway.rollout import telling
from slipway.rollout.records import Tick

TITLE = "production: 1.2.0 beside 1.1.0"
GOOD, BAD = play(0.2)[0], play(0.26)[0]


def frames(ticks: list[Tick]) -> list[str]:
    """Each picture as text."""
    screen, found = rehearse_view.Screen(TITLE), []
    for tick in ticks:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            console = Console(width=rehearse_view.WIDTH, file=nowhere, record=True)
            console.print(screen.frame(tick))
        found.append(console.export_text())
    return found


def lines(ticks: list[Tick]) -> list[str]:
    """What is written where there is no terminal."""
    told = io.StringIO()
    with rehearse_view.watching(TITLE, Console(file=told)) as show:
        for tick in ticks:
            show(tick)
    return told.getvalue().splitlines()


def test_the_picture_stays_in_its_place() -> None:
    """It fits 80 columns and 24 lines, and never gets lower, so nothing jumps."""
    for ticks in (GOOD, BAD):
        heights = []
        for frame in frames(ticks):
            assert all(len(line) <= 80 for line in frame.splitlines())
            heights.append(frame.count("\n"))
        assert heights == sorted(heights)
        assert heights[-1] <= 24


def test_the_picture_of_an_abort() -> None:
    """It says who is judged, where it stopped, what was counted, and which evidence has reached its boundary."""
    before, last = frames(BAD)[20], frames(BAD)[-1]
    assert re.search(r"^ NOT YET  production: 1\.2\.0 beside 1\.1\.0 +1 min 40 s$|PROMOTE", before, re.MULTILINE)
    assert re.match(r" ABORTED  production: 1\.2\.0 beside 1\.1\.0 +5 min 30 s", last)
    assert re.search(r"^steps +(█{7} ){3}▓{7} (░{7} ){3} ?4 of 7", last, re.MULTILINE)
    assert re.search(r"^canary +░+ +0% ", last, re.MULTILINE)
    assert re.search(r"^stable +5,940 +55 \(0\.93%\) +4\.1 ms", last, re.MULTILINE)
    assert re.search(r"^canary +660 +5 \(0\.76%\) +4\.3 ms", last, re.MULTILINE)
    assert re.search(r"^truths +4,950", last, re.MULTILINE)
    assert re.search(r"^errors +█{15} +8\.11 of 3\.00 ✓ +░{15} +-1\.85 of 4\.09", last, re.MULTILINE)
    assert re.search(r"^truth +░{15} not asked yet +█{15} +4\.79 of 4\.09 ✓", last, re.MULTILINE)
    assert re.search(r"^together +█{15} +3\.69 of 3\.00 ✓", last, re.MULTILINE)
    assert "truth: mean loss 0.2683 of 764 canary requests" in last


def test_the_picture_on_the_way() -> None:
    """It says what is still needed, and what holds the promotion; at the end the bars of steps and weight are full."""
    early, last = frames(GOOD)[10], frames(GOOD)[-1]
    assert re.search(r"^steps +█{7} ▓{7} ░", early, re.MULTILINE)
    assert re.search(r"^canary +█{6}░+ +10% ", early, re.MULTILINE)
    assert re.search(r"^errors +█{4}░{11} +0\.96 of 3\.00  ", early, re.MULTILINE)
    assert "needs about 83 more canary requests, 46 s, if both arms are alike" in early
    assert "held, sample-ratio: " in early
    assert re.search(r"^ PROMOTED .*^steps +(█{7} ){7} ?7 of 7.*^canary +█{55} +100%", last, re.MULTILINE | re.DOTALL)


def test_an_evidence_is_a_share_of_its_boundary() -> None:
    """Bars are empty below nothing, full at the boundary and stay so; the average alone decides an abort."""
    told = BAD[-1].verdict
    assert told is not None
    lanes = {lane.name: lane for lane in telling.lanes(told)}
    assert list(lanes) == ["errors", "latency", "truth", "together"]
    assert (lanes["errors"].harmless.share, lanes["errors"].worse.share) == (1.0, 0.0)
    assert lanes["together"].harmless is None
    assert lanes["together"].worse.needed == told.abort_needed < lanes["truth"].worse.needed
    half = telling.Weight(1.5, 3.0, reached=False)
    assert (half.share, telling.Weight(1.5, 3.0, reached=True).share) == (0.5, 1.0)


def test_lines_where_there_is_no_terminal() -> None:
    """One for each change of weight, verdict or what it waits for; with figures, and the sentence at the end."""
    told = lines(BAD)
    assert [re.search(r"weight (\d+)%", line)[1] for line in told] == ["10", "10", "10", "30", "30", "0"]
    assert "step 4 of 7, weight 30% | stable 3,600 requests, 33 failed, p95 4.1 ms | canary 400 requests" in told[3]
    assert told[3].endswith("| 3,000 truths | NOT YET: waits for sample-ratio")
    assert re.match(r"5 min 30 s  weight 0% \| .* \| ABORTED: truth: mean loss 0\.2683", told[-1])
    assert len(lines([*BAD, BAD[-1]])) == len(told)


def test_lines_move_no_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a source says and whatever the environment asks for: no control characters, a line is a line."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    odd = Hold(reason="facts", detail="\x1b[2J\x07gone\r\nBroken: [red]x[/]")
    doubt = msgspec.structs.replace(BAD[5].verdict, held=(odd,), detail=f"No verdict: {odd.detail}", metrics=())
    told = lines([msgspec.structs.replace(BAD[5], verdict=doubt)])
    assert len(told) == 1
    assert told[0].isprintable()
    assert "No verdict:" in told[0]
    assert "[red]x[/]" in told[0]
    (frame,) = frames([msgspec.structs.replace(BAD[5], verdict=doubt)])
    assert "\x1b[2J" not in frame
    assert "[red]x[/]" in frame


def seen(ticks: list[Tick], tmp_path: Path, **variables: str) -> str:
    """What a real terminal of 80 columns gets."""
    (tmp_path / "ticks").write_bytes(msgspec.json.Encoder().encode_lines(ticks))
    program = (
        "import msgspec, sys\n"
        "from slipway.commands import rehearse_view as view\n"
        "from slipway.rollout.records import Tick\n"
        "ticks = msgspec.json.Decoder(Tick).decode_lines(open(sys.argv[1], 'rb').read())\n"
        "with view.watching('t') as show: [show(tick) for tick in ticks]"
    )
    ours, theirs = pty.openpty()
    given = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI", "TTY_COMPATIBLE")}
    given |= {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40"} | variables
    command = [sys.executable, "-c", program, str(tmp_path / "ticks")]
    process = subprocess.Popen(command, cwd=ROOT, env=given, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    found = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the terminal is gone with its last user
            break
        if not part:
            break
        found += part
    os.close(ours)
    assert process.wait(60) == 0, found
    return found.decode()


def test_a_terminal_gets_a_picture_that_does_not_flicker(tmp_path: Path) -> None:
    """The screen is never cleared; colours go where a person asks for none, and a dumb terminal gets lines."""
    coloured = seen(BAD, tmp_path)
    assert "\x1b[2J" not in coloured
    assert "\x1b[1A" in coloured
    assert re.search(r"\x1b\[[\d;]*(3[1-7]|4[1-7])", coloured)
    assert "ABORTED" in coloured
    plain = seen(BAD, tmp_path, NO_COLOR="1")
    assert "ABORTED" in plain
    assert not re.search(r"\x1b\[[\d;]*(3[0-9]|4[0-9])[\d;]*m", plain)
    dumb = seen(BAD, tmp_path, TERM="dumb")
    assert "\x1b" not in dumb
    assert dumb.count("\n") == len(lines(BAD))
