"""`slipway rehearse` as a person types it: what is rehearsed beside what, how it ends, and what is refused unplayed."""

import http.server
import json
import signal
import subprocess
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import psutil
import pytest
from tests.rehearsal.conftest import Repository
from tests.rehearsal.test_processes import until

from slipway.adapters import files
from slipway.adapters.processes import MARK
from slipway.commands import shelf
from slipway.commands.rehearse import rehearse
from slipway.errors import Broken
from slipway.manifests import tree
from slipway.rollout.records import Rehearsed, Seen

STAGING = ("-e", "staging", "--set", "deadline=30m")


def folder(repository: Repository, environment: str = "production") -> Path:
    """Where it is written down."""
    return repository.root / "build/rehearsal" / environment


def left(path: Path) -> list[psutil.Process]:
    """Processes of a rehearsal in a folder, by what they were told."""
    found = []
    for process in psutil.process_iter(["environ", "cmdline"]):
        variables, words = process.info["environ"] or {}, process.info["cmdline"] or []
        if MARK in variables and str(path) in " ".join([*words, variables.get("SLIPWAY_SPOOL", "")]):
            found.append(process)
    return found


def test_a_first_deployment_takes_no_steps_and_a_canary_all_of_them(repository: Repository) -> None:
    """The first has nothing beside it; the same again is nothing new; the next, a twin, is judged at each step."""
    repository.release("1.0.0", "proposed")
    digest = repository.render("1.0.0", "staging")
    repository.release("1.0.0", "proposed", environment="staging")
    code, told = repository.rehearse(*STAGING)
    assert (code, told["outcome"], told["stable"], told["evidence"]) == (0, "promoted", "", None)
    seen = files.read_record(Seen, folder(repository, "staging") / "seen.json")
    assert (seen.image, seen.phase, seen.namespace) == (digest, "healthy", "flights-staging")

    repository.release("1.0.0", "proposed", "promoted", environment="staging")
    code, told = repository.rehearse(*STAGING)
    assert (code, told["outcome"], told["evidence"]) == (0, "promoted", None)
    assert not (folder(repository, "staging") / "canary").exists()  # nothing was started

    repository.release("1.1.0", "proposed", environment="staging")
    repository.render("1.1.0", "staging")
    heard: list[dict[str, str]] = []
    token = repository.root / "token"
    token.write_text("of the relay\n")
    with listening(heard, "of the relay") as address:
        notify = ("--notify", address, "--notify-token-file", str(token))
        code, told = repository.rehearse(*STAGING, *notify, "--sticky", "--seed", "3")
    here = folder(repository, "staging")
    assert (code, told["outcome"], told["stable"], told["canary"]) == (0, "promoted", "1.0.0", "1.1.0"), told
    assert files.read_record(Rehearsed, here / "result.json") == msgspec.convert(told, Rehearsed)
    assert told["seed"] == 3
    again = " ".join(told["arguments"])
    for words in ("--environment staging --canary 1.1.0 --stable 1.0.0", "--seed 3", "--set deadline=30m", "--sticky"):
        assert words in again
    assert "notify" not in again  # an address may hold a password
    assert heard == [
        {
            "namespace": "flights-staging",
            "rollout": "flights",
            "image": tree.image_of(files.read_texts(repository.root / "k8s/rendered/staging", "*.yaml")),
        }
    ]
    ticks = [json.loads(line) for line in (here / "ticks.jsonl").read_text().splitlines()]
    assert list(dict.fromkeys(tick["weight"] for tick in ticks)) == [0.0, 0.1, 0.3, 0.6, 1.0]
    assert (ticks[-1]["phase"], ticks[-1]["step"]) == ("healthy", 7)
    assert (here / "trace.json").exists()
    assert left(here) == []


class listening:  # noqa: N801  # a context manager
    """A webhook's receiver, who believes no one without the token."""

    def __init__(self, heard: list[dict[str, str]], token: str) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                known = self.headers["authorization"] == f"Bearer {token}"
                heard.extend([body] if known else [])
                self.send_response(202 if known else 401)
                self.end_headers()

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()


def test_a_person_s_way_back_is_rehearsed_beside_what_is_left(repository: Repository) -> None:
    """The recorded stable is the target already; the manifests say that a person goes back to it."""
    repository.release("1.1.0", "proposed", "promoted", "rolled-back")
    repository.release("1.0.0", "proposed", "promoted", "restored")
    digest = repository.render("1.0.0")
    files.write_texts(
        repository.root / "k8s/rendered/production",
        tree.with_rollback(files.read_texts(repository.root / "k8s/rendered/production", "*.yaml"), digest),
    )
    code, told = repository.rehearse()
    assert (code, told["outcome"], told["stable"], told["canary"]) == (0, "promoted", "1.1.0", "1.0.0"), told
    assert files.read_record(Seen, folder(repository) / "seen.json").rollback


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_an_end_from_outside_is_no_verdict_and_leaves_nothing(repository: Repository, number: signal.Signals) -> None:
    """Services, told which bento they are, shippers, judge: none outlives it; 2 is the exit code of what is broken."""
    repository.release("1.0.0", "proposed", "promoted")
    repository.release("1.1.0", "proposed")
    repository.render("1.1.0")
    here = folder(repository)
    with subprocess.Popen(repository.command(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        until(lambda: process.poll() is not None or len(left(here)) >= 5)
        told = {one.info["environ"].get("SLIPWAY_BENTO") for one in left(here)} - {None}  # the judge is none
        process.send_signal(number)
        assert process.wait(60) in (2, -signal.SIGKILL), process.stderr
    assert told == {shelf.read(repository.root, version).package.bento_digest for version in ("1.0.0", "1.1.0")}
    until(lambda: not left(here), 30)
    assert not (here / "result.json").exists()
    assert files.read_record(Seen, here / "seen.json").phase == "progressing"


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("--set", "bakes=0s"), 1, "no argument 'bakes'"),
        (("--speed", "60"), 1, "grid of 10 s"),
        (("--canary", "9.9.9"), 1, "no release 9.9.9"),
        (("--first", "2014-01-01", "--last", "2014-02-01"), 1, "no flight of that window"),
        (("--stable", "9.9.9"), 1, "no release 9.9.9"),
    ],
)
def test_what_is_refused_starts_nothing(
    repository: Repository, arguments: tuple[str, ...], code: int, what: str
) -> None:
    """It says what, and no folder is made."""
    repository.release("1.0.0", "proposed", "promoted")
    repository.release("1.1.0", "proposed")
    repository.render("1.1.0")
    found, told = repository.rehearse(*arguments)
    assert found == code
    assert what in str(told["what"])
    assert not folder(repository).exists()


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("    interval: 30s\n", "    interval: 30s\n    initialDelay: 1m\n", "initialDelay"),
        ("      - setWeight: 30\n", "      - setWeight: 30\n      - pause: {}\n", "pause"),
        ("result[0] < 0", "result[0] < -1", "failureCondition"),
        ("      prometheus:\n", "      datadog:\n", "datadog"),
    ],
)
def test_manifests_that_it_does_not_understand_are_refused_by_the_field(
    repository: Repository, before: str, after: str, named: str
) -> None:
    """Exit code 1, the field's name, and nothing started."""
    repository.release("1.0.0", "proposed", "promoted")
    repository.release("1.1.0", "proposed")
    repository.render("1.1.0", change=lambda text: text.replace(before, after))
    code, told = repository.rehearse()
    assert (code, told["outcome"]) == (1, "rejected")
    assert named in str(told["what"])
    assert not folder(repository).exists()


def test_other_bytes_than_those_released_are_not_played(repository: Repository) -> None:
    """The image at hand has been made anew."""
    repository.release("1.0.0", "proposed", "promoted")
    repository.release("1.1.0", "proposed")
    repository.render("1.1.0")
    index = repository.root / "build/images/1.1.0/index.json"
    index.write_bytes((repository.root / "build/images/1.0.0/index.json").read_bytes())
    for blob in (repository.root / "build/images/1.0.0/blobs/sha256").iterdir():
        (repository.root / "build/images/1.1.0/blobs/sha256" / blob.name).write_bytes(blob.read_bytes())
    code, told = repository.rehearse()
    assert (code, folder(repository).exists()) == (1, False)
    assert "the image at hand is sha256:" in str(told["what"])


def test_a_folder_of_something_else_is_left_alone(repository: Repository) -> None:
    """It is not made anew under its owner."""
    repository.release("1.0.0", "proposed", "promoted")
    repository.release("1.1.0", "proposed")
    repository.render("1.1.0")
    other = repository.root / "precious"
    other.mkdir()
    (other / "thesis.tex").write_text("years")
    code, told = repository.rehearse("--folder", "precious")
    assert (code, (other / "thesis.tex").read_text()) == (2, "years")
    assert "something else" in str(told["what"])
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("other", [{"first": "2013-04-02"}, {"last": "2013-04-02"}, {"rows": Path("data")}])
def test_two_words_about_what_is_sent_are_no_answer(other: dict[str, Any], tmp_path: Path) -> None:
    """The flights that the model was measured on, and others."""
    with pytest.raises(Broken, match="--tested says what is sent"):
        rehearse(root=tmp_path, tested=True, **other)
