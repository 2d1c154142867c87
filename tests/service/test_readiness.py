"""Only the model that the bento was made for is served."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import requests

from slipway.adapters import bento
from slipway.adapters.processes import free_port
from slipway.errors import Broken, Rejected

from .conftest import FLIGHT


def other_weight(folder: Path) -> None:
    """One bit of the model is another."""
    path = folder / "model" / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit(path: str, **changes: object) -> Callable[[Path], None]:
    """Change a record beside the model."""

    def change(folder: Path) -> None:
        target = folder / path
        target.write_text(json.dumps(json.loads(target.read_text()) | changes))

    return change


def other_order(folder: Path) -> None:
    """The features of the model stand in another order."""
    path = folder / "model" / "model.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"features": info["features"][::-1]}))


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (other_weight, "digest of model.onnx is sha256:"),
        (edit("bundle.json", model_digest="sha256:00"), "expected sha256:00"),
        (edit("model/model.json", model_digest="sha256:00"), "digest in model.json is sha256:00"),
        (edit("model/model.json", request_version=99), "request version of the model is 99"),
        (edit("bundle.json", request_version=99), "request version of the bundle is 99"),
        (edit("bundle.json", surprise=1), "bundle.json holds no valid Bundle"),
        (other_order, "features of the model is"),
        (lambda folder: (folder / "model/model.onnx").unlink(), "model.onnx cannot be read"),
        (lambda folder: (folder / "bundle.json").unlink(), "bundle.json cannot be read"),
    ],
)
def test_a_foreign_part_is_refused(built: Path, tmp_path: Path, tamper: Callable[[Path], None], says: str) -> None:
    """Whatever differs from what the bento was made of is named, and nothing is opened."""
    from predictor import Predictor

    shutil.copytree(built / "src", tmp_path / "src")
    Predictor(tmp_path / "src")
    tamper(tmp_path / "src")
    with pytest.raises((Rejected, Broken)) as caught:
        Predictor(tmp_path / "src")
    assert says in caught.value.what


def test_a_tampered_bento_is_not_ready(built: Path, tmp_path: Path) -> None:
    """The process lives and says why; it is not ready, predicts nothing, and claims no version."""
    shutil.copytree(built, tmp_path / "bento")
    other_weight(tmp_path / "bento" / "src")
    with bento.serving(tmp_path / "bento", free_port()) as address:
        assert requests.get(f"{address}/livez", timeout=30).status_code == 200
        for answer in (
            requests.get(f"{address}/readyz", timeout=30),
            requests.get(f"{address}/version", timeout=30),
            requests.post(f"{address}/predict", json=FLIGHT, timeout=30),
        ):
            assert answer.status_code == 503
            assert "digest of model.onnx" in answer.json()["error"]
        assert 'reason="not-ready"} 1.0' in requests.get(f"{address}/metrics", timeout=30).text


def test_the_records_of_the_bento_are_whole(built: Path) -> None:
    """What a test above removes or changes is there in an untouched bento."""
    assert msgspec.json.decode((built / "src/bundle.json").read_bytes())["version"] == "1.2.3"
