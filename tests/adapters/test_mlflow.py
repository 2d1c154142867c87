"""The registry of models: real MLflow on SQLite, and once a real server."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import requests

from slipway import digests, features
from slipway.adapters import files, mlflow
from slipway.adapters.processes import free_port
from slipway.errors import Broken, Rejected
from slipway.records import ModelInfo

COMMIT = "c" * 40


def local(folder: Path) -> str:
    """A registry in a file, whatever the environment names."""
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty registry in a file."""
    return local(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def other(make_project: Callable[[], Any]) -> Path:
    """A project with another model than `trained`."""
    return make_project().params(train__logistic_regression__C=0.01).run().root


def enter(uri: str, root: Path, **more: str) -> mlflow.Version:
    """Track and register the model of a project."""
    folder = root / "artifacts/model"
    info = files.read_record(ModelInfo, folder / "model.json")
    tags = {
        "model_digest": info.model_digest,
        "source_commit": COMMIT,
        "info_digest": digests.of_bytes((folder / "model.json").read_bytes()),
    }
    noted = mlflow.Run(
        parameters={"train.seed": "1"},
        metrics={"auc": 0.7},
        tags=tags,
        files=(root / "artifacts/metrics.json", root / "artifacts/plots"),
    )
    example = features.matrix(pl.read_parquet(root / "artifacts/splits/test.parquet").head(1))
    return mlflow.register(uri, mlflow.track(uri, noted), folder, example, tags | more)


def test_model_is_registered_once_per_digest(sqlite: str, trained: Any) -> None:
    """The same model again is the same run and the same version with its first tags; it is the challenger."""
    first = enter(sqlite, trained.root, version="1.0.0")
    again = enter(sqlite, trained.root, version="9.9.9")

    assert (again.version, again.run_id) == (first.version, first.run_id)
    assert again.tags["version"] == "1.0.0"
    assert mlflow.by_alias(sqlite, mlflow.CHALLENGER) == again
    assert mlflow.challenge(sqlite, first.model_digest) == again
    assert mlflow.challenge(sqlite, "sha256:" + "0" * 64) is None


def test_another_model_is_another_version(sqlite: str, trained: Any, other: Path) -> None:
    """The next model gets the next version, and the alias challenger moves to it."""
    first, second = enter(sqlite, trained.root), enter(sqlite, other)

    assert int(second.version) == int(first.version) + 1
    assert mlflow.by_alias(sqlite, mlflow.CHALLENGER) == second


def test_crown_makes_the_champion(sqlite: str, trained: Any) -> None:
    """The alias champion goes to the version of a digest, and what is downloaded is exactly that model."""
    entered = enter(sqlite, trained.root)
    mlflow.crown(sqlite, entered.model_digest)
    found = mlflow.champion(sqlite)
    assert found is not None
    info, content = mlflow.download(sqlite, found)

    assert found.version == entered.version
    assert content == (trained.root / "artifacts/model/model.onnx").read_bytes()
    assert info == files.read_record(ModelInfo, trained.root / "artifacts/model/model.json")


def test_champion_is_no_challenger_any_more(sqlite: str, other: Path) -> None:
    """Crowning the challenger takes that alias from it."""
    mlflow.crown(sqlite, enter(sqlite, other).model_digest)

    assert mlflow.by_alias(sqlite, mlflow.CHALLENGER) is None


def test_interrupted_registration_is_finished(tmp_path: Path, trained: Any) -> None:
    """A version that got no alias becomes the challenger when it is registered again; the champion never does."""
    from mlflow import MlflowClient

    uri = local(tmp_path)
    entered = enter(uri, trained.root)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.delete_registered_model_alias(mlflow.NAME, mlflow.CHALLENGER)
    assert enter(uri, trained.root) == entered
    assert mlflow.by_alias(uri, mlflow.CHALLENGER) == entered

    client.delete_registered_model_alias(mlflow.NAME, mlflow.CHALLENGER)
    assert mlflow.challenge(uri, entered.model_digest) == entered
    assert mlflow.by_alias(uri, mlflow.CHALLENGER) == entered

    mlflow.crown(uri, entered.model_digest)
    assert enter(uri, trained.root) == entered
    assert mlflow.by_alias(uri, mlflow.CHALLENGER) is None


def test_unknown_model_cannot_be_crowned(sqlite: str) -> None:
    """No alias is given to a model that was never registered."""
    with pytest.raises(Rejected, match="no version"):
        mlflow.crown(sqlite, "sha256:" + "0" * 64)


@pytest.mark.parametrize("name", ["model.onnx", "model.json"])
def test_changed_champion_is_refused(tmp_path: Path, trained: Any, name: str) -> None:
    """A model, or its record, that is no more what was registered is refused before anything reads it."""
    uri = local(tmp_path)
    found = enter(uri, trained.root)
    stored = next((tmp_path / "mlruns").rglob(name))
    stored.write_bytes(stored.read_bytes() + b" ")

    with pytest.raises(Rejected, match=f"{name} of version 1 is not what was registered"):
        mlflow.download(uri, found)


def test_what_is_registered_loads_as_mlflow_promises(
    sqlite: str, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`mlflow.pyfunc` scores rows with it, by the signature the graph itself declares."""
    import mlflow as library

    found = enter(sqlite, trained.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite)
    loaded = library.pyfunc.load_model(f"models:/{mlflow.NAME}/{found.version}")
    answer = loaded.predict(np.zeros((2, len(features.NAMES)), dtype=np.float32))

    assert answer["probabilities"].shape == (2, 2)
    assert [spec.shape for spec in loaded.metadata.signature.inputs] == [(-1, len(features.NAMES))]
    assert [spec.name for spec in loaded.metadata.signature.outputs] == ["label", "probabilities"]


def test_run_holds_its_files_and_no_path(sqlite: str, trained: Any) -> None:
    """A run has its files and numbers; no tag of run or version names a folder of this machine."""
    from mlflow import MlflowClient

    found = enter(sqlite, trained.root)
    client = MlflowClient(tracking_uri=sqlite)
    run = client.get_run(found.run_id)

    assert run.data.metrics == {"auc": 0.7}
    assert run.data.params == {"train.seed": "1"}
    assert {entry.path for entry in client.list_artifacts(found.run_id)} == {"metrics.json", "plots", "model"}
    assert not [value for value in [*run.data.tags.values(), *found.tags.values()] if str(Path.home()) in value]
    assert not [value for value in [*run.data.tags.values(), *found.tags.values()] if "/" in value]


def test_version_of_unknown_origin_is_refused(tmp_path: Path) -> None:
    """A champion that was put there by hand, and does not say which model it holds, is no champion."""
    from mlflow import MlflowClient

    uri = local(tmp_path)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_registered_model(mlflow.NAME)
    client.create_model_version(mlflow.NAME, source="file:///nowhere")
    client.set_registered_model_alias(mlflow.NAME, mlflow.CHAMPION, "1")

    with pytest.raises(Rejected, match="does not say which model"):
        mlflow.champion(uri)


def test_address_is_told_or_named_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for wins over the environment, which wins over the file in the repository."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://named")
    assert mlflow.address(tmp_path, "http://told") == "http://told"
    assert mlflow.address(tmp_path) == "http://named"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert mlflow.address(tmp_path) == local(tmp_path)


def test_dead_server_is_a_sentence_in_seconds() -> None:
    """A server that refuses connections is Broken with the way out, after seconds, without its password."""
    with pytest.raises(Broken, match="does not do as asked") as error:
        mlflow.champion(f"http://me:secret@127.0.0.1:{free_port()}")

    assert "--tracking-uri" in error.value.remedy
    assert "secret" not in error.value.what


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real MLflow server on loopback, which keeps the artifacts itself."""
    address = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path, start_new_session=True)
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if requests.get(f"{address}/health", timeout=2).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.2)
        else:
            raise AssertionError((tmp_path / "log").read_text())
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


def test_server_works_like_the_file(server: str, trained: Any) -> None:
    """Against a server: tracked, registered once, crowned, and downloaded byte for byte."""
    entered = enter(server, trained.root)
    assert enter(server, trained.root) == entered
    mlflow.crown(server, entered.model_digest)
    found = mlflow.champion(server)
    assert found is not None

    assert mlflow.download(server, found)[1] == (trained.root / "artifacts/model/model.onnx").read_bytes()
