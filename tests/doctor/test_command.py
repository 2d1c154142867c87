"""`slipway doctor` before a Kubernetes API over HTTP: what it reads, what it may not read, and that nobody answers."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from tests.conftest import ROOT
from tests.doctor import live
from tests.doctor.live import Live
from tests.judge.conftest import answering
from tests.judge.test_process import kubeconfig
from tests.samples import package
from typer.testing import CliRunner

from slipway.__main__ import app
from slipway.adapters import kubernetes
from slipway.adapters.kubernetes import Api
from slipway.adapters.processes import free_port
from slipway.commands import console
from slipway.commands import doctor as commands
from slipway.doctor.records import Answer
from slipway.errors import Broken
from slipway.manifests import tree


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose main has released `live.IMAGE` to both environments."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("argocd", "rollouts", "k8s/next"):
        for path in (ROOT / name).rglob("*.yaml"):
            _write(folder / path.relative_to(ROOT), path.read_text())
    for name in tree.ENVIRONMENTS:
        texts = {path.name: path.read_text() for path in (ROOT / "k8s/next" / name).glob("*.yaml")}
        bento = package("1.1.0").bento_digest
        for file, text in tree.with_image(texts, live.IMAGE, bento).items():
            _write(folder / f"k8s/rendered/{name}" / file, text)
    for command in (("init", "--quiet", "--initial-branch=main"), ("add", "."), ("commit", "--quiet", "-m", "Release")):
        who = ("-c", "user.name=t", "-c", "user.email=t@slipway.invalid")
        subprocess.run(["git", *who, *command], cwd=folder, check=True)
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """A cluster behind HTTP, and a kubeconfig that leads there."""
    there = Live()
    there.metrics = live.relay_metrics(time.time())  # the verb looks at the clock
    monkeypatch.setattr(commands, "AGAIN", 0.0)

    def answers(path: str) -> tuple[int, bytes]:
        status, body = there.answer(path)
        return status, live.encoded(body)

    with answering(answers) as address:
        (tmp_path / "kubeconfig").write_text(kubeconfig(address))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield there


def asked(clone: Path, *options: str, code: int) -> Any:
    """What the verb answers a program."""
    done = CliRunner().invoke(app, ["doctor", "--root", str(clone), "--json", *options])
    assert done.exit_code == code, done.stdout
    assert isinstance(done.exception, SystemExit | None), repr(done.exception)
    return json.loads(done.stdout)


def test_a_cluster_over_http_is_well(api: Live, clone: Path) -> None:
    """Exit code 0; one environment alone is looked at when it is named."""
    found = asked(clone, code=0)
    assert {one["state"] for one in found["findings"]} == {"ok"}
    assert {one["place"] for one in found["findings"]} == {"cluster", "staging", "production"}
    only = asked(clone, "--environment", "staging", code=0)
    assert {one["place"] for one in only["findings"]} == {"cluster", "staging"}


def test_secrets_are_compared_and_not_shown(api: Live, clone: Path) -> None:
    """Neither a token nor its digest is told, whether they agree or not."""
    api.add(live.secret("slipway", "relay", {"relay-token": b"another"}))
    found = asked(clone, code=1)
    assert [one["check"] for one in found["findings"] if one["state"] != "ok"] == ["relay-token"]
    told = json.dumps(found)
    for value in (live.TOKEN, b"another"):
        assert value.decode() not in told
    assert "digest" not in told


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no sentence is broken; pytest-xdist says how wide its own is."""
    monkeypatch.setattr(console, "_width", 200)


def test_a_right_that_is_lacking_is_told_to_a_person(api: Live, clone: Path, wide: None) -> None:
    """Exit code 1, with words of its own: nothing wrong was found, and that is not ok."""
    api.forbidden.add("/secrets/")
    done = CliRunner().invoke(app, ["doctor", "--root", str(clone)])
    assert done.exit_code == 1
    assert "nothing wrong was found, and 3 checks could not be made: that is not ok yet" in done.stdout
    assert "you may not read /api/v1/namespaces/flights-production/secrets/flights-ledger (403)" in done.stdout


def test_a_fault_is_told_to_a_person(api: Live, clone: Path, wide: None) -> None:
    """The check, the object, what was found, and the remedy; the rest is ok."""
    api.get("Deployment", "flights")["spec"]["template"]["spec"]["containers"][0]["image"] = "flights:0.9.0"
    done = CliRunner().invoke(app, ["doctor", "--root", str(clone)])
    assert done.exit_code == 1
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert any(line.startswith("wrong image flights-production Deployment/flights: it asks for") for line in lines)
    assert "slipway rollback --to VERSION" in done.stdout
    assert lines[-1] == "1 wrong"


def test_a_moment_between_two_states_is_no_fault(api: Live, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not ok is looked at again, a little later."""
    before = api.get("Application", "flights-production", "argocd")["status"]["sync"]
    before["status"] = "OutOfSync"
    waited = list[float]()

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        before["status"] = "Synced"

    monkeypatch.setattr(commands.time, "sleep", sleep)
    asked(clone, code=0)
    assert waited == [commands.AGAIN]
    asked(clone, code=0)
    assert len(waited) == 1


def test_beyond_the_cluster_no_credential_goes(api: Live) -> None:
    """An address is asked as it is; a redirect is an answer, and silence is one, too."""
    got = list[str]()

    def answers(path: str) -> tuple[int, bytes]:
        got.append(path)
        return (200, b'{"a": 1}') if path == "/x?y=1" else (302, b"elsewhere")

    with answering(answers) as address:
        assert Api().ask(f"{address}/x?y=1").body == {"a": 1}
        assert Api().ask(f"{address}/z") == Answer(status=302, body="elsewhere")
    assert got == ["/x?y=1", "/z"]
    assert Api().ask(f"http://127.0.0.1:{free_port()}/") == Answer(status=0)


@pytest.mark.parametrize("said", ["<html>", "null", "[]", "", '{"items": null}', '{"items": [], "kind": "Secret"}'])
def test_nonsense_is_never_ok_and_never_a_traceback(api: Live, clone: Path, said: str) -> None:
    """Whatever a proxy in between answers, checks say that they could not be made, or what is missing."""
    api.odd |= {"/apis/": (200, said), "/api/v1/": (200, said)}
    found = asked(clone, code=1)
    assert {one["check"] for one in found["findings"] if one["state"] == "ok"} == {"kubernetes"}


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_cluster_that_does_not_know_us_was_not_looked_at(api: Live, clone: Path, status: int) -> None:
    """Exit code 2 is for whoever could not look at all."""
    api.odd["/version"] = (status, {"kind": "Status", "reason": "Unauthorized"})
    done = CliRunner().invoke(app, ["doctor", "--root", str(clone)])
    assert isinstance(done.exception, Broken)
    assert str(status) in done.exception.what


def test_a_cluster_that_is_not_there(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor an address that nobody listens at, nor no kubeconfig."""
    (tmp_path / "kubeconfig").write_text(kubeconfig(f"http://127.0.0.1:{free_port()}"))
    for path in ("kubeconfig", "none"):
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / path))
        done = CliRunner().invoke(app, ["doctor", "--root", str(clone)])
        assert isinstance(done.exception, Broken)
        assert done.exception.remedy


def test_several_kubeconfigs_are_one(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kubectl does, where $KUBECONFIG names more than one file, and one is not there."""
    (tmp_path / "kubeconfig").write_text(kubeconfig(f"http://127.0.0.1:{free_port()}"))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join((str(tmp_path / "none"), str(tmp_path / "kubeconfig"))))
    assert Api().server.startswith("http://127.0.0.1:")


def test_of_a_secret_the_end_of_its_certificate_is_read() -> None:
    """Nothing else of it is; what is no certificate has no end."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    draft = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, end)
    pem = draft.sign(key, SHA256()).public_bytes(Encoding.PEM)
    made = live.secret("n", "web", {"tls.crt": pem, "tls.key": b"secret"})
    found = kubernetes._compared(made)
    assert found["tls.crt"]["expires"] == end.timestamp()
    assert found["tls.key"].keys() == {"digest", "bytes", "line_break"}
    assert kubernetes._compared(live.secret("n", "web", {"tls.crt": b"none"}))["tls.crt"]["expires"] is None
