"""`slipway replay` as a Deployment runs it: to one address, until it is told to end."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT
from tests.rehearsal.test_processes import until
from tests.rehearsal.test_traffic import answering

from slipway.adapters.processes import free_port

NAME = "flights.staging.example.com"
WINDOW = ("--first", "2013-06-16", "--last", "2013-06-30", "--rate", "100")


def command(address: str, *more: str) -> list[str]:
    """How it is typed."""
    words = ("replay", "--to", address, "--host", NAME, "--data", str(ROOT / "replay"))
    return [sys.executable, "-m", "slipway", *words, *WINDOW, *more]


def replay(address: str, *more: str) -> tuple[int, Any]:
    """Run it to its end: exit code, and the document that it prints."""
    done = subprocess.run([*command(address, *more), "--json"], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def credential(tmp_path: Path) -> Path:
    """As a Secret has it: the next one stands below."""
    path = tmp_path / "credentials"
    path.write_text("first\nsecond\n")
    return path


def test_it_ends_in_time_and_says_what_it_has_sent(credential: Path) -> None:
    """Predictions and truths under the name that was asked for; a refusal is counted and no reason to end."""
    heard: list[tuple[str, str, str]] = []
    answers = iter([200] * 20 + [422] * 3)
    with answering(lambda path: next(answers, 200) if path == "/predict" else 200, heard) as (address, _):
        told = ("--truth-after", "0.2", "--credential-file", str(credential))
        code, said = replay(address, "--seconds", "2", *told)
    assert (code, said["to"], said["host"]) == (0, address, NAME)
    assert said["traffic"]["requests"] == sum(path == "/predict" for path, *_ in heard)
    assert 2 <= said["seconds"] < 4  # it ends in time
    assert 23 < said["traffic"]["requests"] <= 100 * said["seconds"] + 1  # a second; fewer where the machine is busy
    assert (said["traffic"]["errors"], said["statuses"]["422"]) == (3, 3)
    assert said["truths"] > 20
    assert {(host, credential) for _, host, credential in heard} == {(NAME, "Bearer first")}


def test_it_runs_until_sigterm_and_tells_no_truth_without_a_credential() -> None:
    """As a pod is ended; a person reads the counts in its log."""
    with (
        answering(lambda _: 200) as (address, asked),
        subprocess.Popen(command(address), stdout=subprocess.PIPE, text=True) as process,
    ):
        until(lambda: len(asked) > 50)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert " requests in " in said
    assert ", 0 failed, p95 " in said
    assert set(asked) == {"/predict"}


def test_an_address_that_never_answers_is_broken_and_one_that_comes_later_is_not() -> None:
    """A router may start after its clients."""
    port = free_port()
    code, said = replay(f"http://127.0.0.1:{port}", "--seconds", "0.5")
    assert (code, said["outcome"]) == (2, "broken")
    with subprocess.Popen([*command(f"http://127.0.0.1:{port}"), "--seconds", "5"], stdout=subprocess.PIPE) as process:
        time.sleep(1.5)
        with answering(lambda _: 200, port=port) as (_, asked):
            assert process.wait(30) == 0
    assert asked


@pytest.mark.parametrize(
    "to",
    ["127.0.0.1", "https://127.0.0.1", "http://", "http://127.0.0.1/path", "http://a:b", "http://me:secret@127.0.0.1"],
)
def test_an_address_is_a_name_and_a_port(to: str) -> None:
    """Whoever types more learns that it would not be used."""
    done = subprocess.run(command(to), capture_output=True, text=True, check=False)
    assert (done.returncode, "--to" in done.stderr, "secret" in done.stderr) == (2, True, False)


def test_it_takes_time() -> None:
    """In none nobody can answer, which would be told as nobody being there."""
    done = subprocess.run([*command("http://127.0.0.1"), "--seconds", "0"], capture_output=True, text=True, check=False)
    assert (done.returncode, "--seconds" in done.stderr) == (2, True)
