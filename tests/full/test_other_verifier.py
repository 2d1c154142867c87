"""A verifier that shares no line with ours, sigstore-js, says of our bundles what we say."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import REPOSITORY, Project
from tests.signing import hand as hands
from tests.signing.hand import Hand
from tests.signing.instance import Instance, started

from slipway.commands import verifying

HERE = Path(__file__).parent / "other_verifier"
PINS = ("package.json", "package-lock.json", ".npmrc")
SIGNER = f"{REPOSITORY}/.github/workflows/release.yml@refs/heads/main"


@pytest.fixture(scope="module")
def modules() -> Path:
    """Install its packages once, as the lock pins them, outside the tree; in a folder keyed by what pins them."""
    key = sha256(b"".join((HERE / name).read_bytes() for name in PINS)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "slipway" / f"other-verifier-{key}"
    if not folder.exists():
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        fresh.mkdir(parents=True)
        for name in PINS:
            shutil.copy(HERE / name, fresh)
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=fresh, check=True, capture_output=True)
        fresh.rename(folder)
    return folder


@pytest.fixture(scope="module", params=["1", "2"], ids=["v1", "v2"])
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A loopback Sigstore with each version of Rekor."""
    with started(tmp_path_factory.mktemp("sigstore"), "--rekor", request.param) as running:
        yield running


@pytest.fixture(scope="module")
def hand(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Hand:
    """A package."""
    return hands.make(trained, tmp_path_factory.mktemp("hand") / "repository")


def refusals(modules: Path, instance: Instance, signer: str, *bundles: Path) -> list[str | None]:
    """Why it refuses each bundle, or None."""
    command = ["node", str(HERE / "verify.mjs"), str(instance.trust), signer, *map(str, bundles)]
    done = subprocess.run(command, cwd=modules, capture_output=True, text=True, check=True)
    found: list[str | None] = json.loads(done.stdout)
    return found


def test_no_host_is_named_by_the_lock() -> None:
    """Whoever runs it has it asked for at their own registry."""
    for name in PINS:
        assert "://" not in (HERE / name).read_text()


def test_it_accepts_what_we_sign_and_no_change_of_it(
    modules: Path, instance: Instance, hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle that our own verification accepts; not for another signer, and not with anything in it changed."""
    hands.trust(instance, monkeypatch)
    text = hand.sign(instance)
    hand.put(text)
    assert hand.verify().signed.run.signer == SIGNER
    good = hand.root / verifying.SIGNED
    changed = [_write(tmp_path / f"{name}.json", change(json.loads(text))) for name, change in CHANGES.items()]
    accepted, *refused = refusals(modules, instance, SIGNER, good, *changed)
    assert accepted is None
    assert [name for name, why in zip(CHANGES, refused, strict=True) if why is None] == []
    assert "certificate identity" in str(refusals(modules, instance, SIGNER.replace("release", "other"), good)[0])


def _write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def _payload(found: Any) -> Any:
    payload = base64.b64decode(found["dsseEnvelope"]["payload"]).replace(b"model.onnx", b"model.onny")
    found["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    return found


def _type(found: Any) -> Any:
    found["dsseEnvelope"]["payloadType"] = "text/plain"
    return found


def _unlogged(found: Any) -> Any:
    found["verificationMaterial"]["tlogEntries"] = []
    return found


def _untimed(found: Any) -> Any:
    found["verificationMaterial"].pop("timestampVerificationData", None)
    found["verificationMaterial"]["tlogEntries"][0].pop("inclusionPromise", None)
    return found


def _checkpoint(found: Any) -> Any:
    checkpoint = found["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]
    checkpoint["envelope"] = checkpoint["envelope"].replace("\n", " \n", 1)
    return found


CHANGES = {"payload": _payload, "type": _type, "unlogged": _unlogged, "untimed": _untimed, "checkpoint": _checkpoint}
