"""A bento of the small profile's model, built once, and the process that serves it."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.conftest import ROOT, Project

from slipway.adapters import bento, files
from slipway.adapters.processes import free_port
from slipway.records import Bundle, ModelInfo

SOURCE = ROOT / "bentos" / "flights"
sys.path.insert(0, str(SOURCE))  # the service's modules, as BentoML finds them
FLIGHT = {"date": "2013-04-17", "sched_dep_time": 1745, "carrier": "AA", "origin": "JFK", "dest": "LAX"}


def build(model: Path, out: Path, version: str = "1.2.3") -> Path:
    """Build the bento of a model under a fixed lineage."""
    info = files.read_record(ModelInfo, model / "model.json")
    bundle = Bundle(
        version=version,
        source_commit="c0ffee" * 6 + "c0ff",
        data_digest="md5:00",
        recipe_digest="sha256:" + 64 * "e",
        model_digest=info.model_digest,
        request_version=info.request_version,
    )
    bento.build(SOURCE, model, ROOT / "requirements" / "serving.txt", bundle, out)
    return out


@pytest.fixture(scope="session")
def model(trained: Project) -> Path:
    """Folder of the small profile's model; read only."""
    return trained.root / "artifacts" / "model"


@pytest.fixture(scope="session")
def built(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bento of that model; read only."""
    return build(model, tmp_path_factory.mktemp("built") / "bento")


@pytest.fixture(scope="session")
def service(built: Path) -> Iterator[str]:
    """Address of a process that serves the bento, in an environment that names another release."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_RELEASE", "9.9.9")
        with bento.serving(built, free_port()) as address:
            yield address


@pytest.fixture(scope="session")
def predict(service: str) -> Callable[..., requests.Response]:
    """Send a body to /predict: bytes as they are, everything else as JSON."""
    session = requests.Session()

    def send(body: Any, method: str = "POST", **headers: str) -> requests.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return session.request(method, f"{service}/predict", data=content, headers=named, timeout=30)

    return send
