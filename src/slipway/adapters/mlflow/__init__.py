"""MLflow: the runs, and the registry of models with its aliases `challenger` and `champion`.

A version is found by the digest of its model: registering the same model again changes nothing. What is downloaded is
held against the digests in the version's tags before anything reads it.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slipway import digests, records
from slipway.adapters.mlflow.client import connected
from slipway.adapters.mlflow.model import Floats, write
from slipway.errors import Rejected
from slipway.records import ModelInfo

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

NAME = "flights"  # of the experiment, and of the registered model
CHAMPION, CHALLENGER = "champion", "challenger"
MODEL, INFO = "model/model.onnx", "model/model.json"


@dataclass(frozen=True)
class Version:
    """A version of the registered model, and what its tags say."""

    version: str
    run_id: str
    tags: Mapping[str, str]

    @property
    def model_digest(self) -> str:
        """The digest that the model must have."""
        return self.tags["model_digest"]


@dataclass(frozen=True)
class Run:
    """What is noted of one training: what it was told, what was measured, where it comes from, and its files."""

    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]  # model_digest and source_commit among them: together they name the run
    files: tuple[Path, ...]  # files and folders


def address(root: Path, uri: str | None = None) -> str:
    """The tracking server: as told, else $MLFLOW_TRACKING_URI, else a SQLite file in the repository."""
    return uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.resolve() / 'mlflow.db'}"


def track(uri: str, run: Run) -> str:
    """Note a run, once per model and commit, and return its id."""
    with connected(uri) as client:
        experiment = _experiment(client, uri)
        same = " and ".join(f"tags.{key} = '{run.tags[key]}'" for key in ("model_digest", "source_commit"))
        finished = f"{same} and attributes.status = 'FINISHED'"
        if found := client.search_runs([experiment], finished, max_results=1):
            return str(found[0].info.run_id)
        noted = client.create_run(experiment, tags=dict(run.tags), run_name=run.tags["model_digest"][7:19])
        _fill(client, noted.info.run_id, run)
        return str(noted.info.run_id)


def register(uri: str, run_id: str, model: Path, example: Floats, tags: Mapping[str, str]) -> Version:
    """Register the model in a folder (model.onnx, model.json) under a run, and make it the challenger.

    `example` is an input of shape (1, features). A model that is registered already keeps its version and tags.
    """
    with connected(uri) as client:
        if found := _by_digest(client, tags["model_digest"]):
            return _challenge(client, found)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            write(model, example, folder)
            client.log_artifacts(run_id, str(folder), "model")
        if not client.search_registered_models(f"name = '{NAME}'"):
            client.create_registered_model(NAME)
        made = client.create_model_version(NAME, f"runs:/{run_id}/model", run_id, tags=dict(tags))
        return _challenge(client, _version(made))


def challenge(uri: str, model_digest: str) -> Version | None:
    """Make the version that holds a model the challenger, unless it is the champion; None where there is no version.

    Registering makes the version first and gives the alias then: what was interrupted in between is mended here.
    """
    with connected(uri) as client:
        found = _by_digest(client, model_digest)
        return found and _challenge(client, found)


def champion(uri: str) -> Version | None:
    """The version that carries the alias `champion`, or None."""
    return by_alias(uri, CHAMPION)


def by_alias(uri: str, alias: str) -> Version | None:
    """The version that carries an alias, or None.

    Raises:
        Rejected: it does not say which model it holds.

    """
    with connected(uri) as client:
        for model in client.search_registered_models(f"name = '{NAME}'"):
            if version := model.aliases.get(alias):
                return _version(client.get_model_version(NAME, version))
    return None


def holding(uri: str, model_digest: str) -> Version | None:
    """The version that holds a model, or None."""
    with connected(uri) as client:
        return _by_digest(client, model_digest)


def crown(uri: str, model_digest: str) -> Version:
    """Give the version of a model the alias `champion`; it is no challenger any more.

    Raises:
        Rejected: no version holds that model.

    """
    with connected(uri) as client:
        found = _by_digest(client, model_digest)
        if found is None:
            raise Rejected(f"no version of {NAME!r} holds the model {model_digest}", "Run `slipway register` first.")
        client.set_registered_model_alias(NAME, CHAMPION, found.version)
        aliases = client.get_registered_model(NAME).aliases
        if str(aliases.get(CHALLENGER)) == found.version:  # MLflow's file store says 1, its server "1"
            client.delete_registered_model_alias(NAME, CHALLENGER)
        return found


def retire(uri: str, model_digest: str, tags: Mapping[str, str]) -> Version | None:
    """Take the alias `challenger` from a model that was taken back, and note why; a champion is left alone."""
    with connected(uri) as client:
        found = _by_digest(client, model_digest)
        if found is None:
            return None
        aliases = {name: str(version) for name, version in client.get_registered_model(NAME).aliases.items()}
        if aliases.get(CHAMPION) == found.version:
            return None
        if aliases.get(CHALLENGER) == found.version:
            client.delete_registered_model_alias(NAME, CHALLENGER)
        for key, value in tags.items():
            client.set_model_version_tag(NAME, found.version, key, value)
        return found


def download(uri: str, version: Version) -> tuple[ModelInfo, bytes]:
    """Fetch a version's record and model, and hold both against the digests in its tags.

    Raises:
        Rejected: they are not what was registered.

    """
    with connected(uri) as client, tempfile.TemporaryDirectory() as temporary:
        info, content = (
            Path(client.download_artifacts(version.run_id, name, temporary)).read_bytes() for name in (INFO, MODEL)
        )
    for name, found, key in ((MODEL, content, "model_digest"), (INFO, info, "info_digest")):
        if digests.of_bytes(found) != version.tags.get(key):
            raise Rejected(
                f"{name} of version {version.version} is not what was registered:"
                f" {digests.of_bytes(found)}, its tag says {version.tags.get(key)}",
                "The registry's files were changed. Put the alias on an intact version, or restore them.",
            )
    return records.loads(ModelInfo, info, INFO), content


def _experiment(client: "MlflowClient", uri: str) -> str:
    found = client.get_experiment_by_name(NAME)
    if found is not None:
        return str(found.experiment_id)
    place = None  # a server knows its own
    if uri.startswith("sqlite:///"):
        place = (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlruns").as_uri()
    return str(client.create_experiment(NAME, artifact_location=place))


def _fill(client: "MlflowClient", run_id: str, run: Run) -> None:
    from mlflow.entities import Metric, Param

    metrics = [Metric(name, value, 0, 0) for name, value in run.metrics.items()]
    client.log_batch(run_id, metrics=metrics, params=[Param(*item) for item in run.parameters.items()])
    for path in run.files:
        if path.is_dir():
            client.log_artifacts(run_id, str(path), path.name)
        else:
            client.log_artifact(run_id, str(path))
    client.set_terminated(run_id)


def _challenge(client: "MlflowClient", version: Version) -> Version:
    aliases = client.get_registered_model(NAME).aliases
    if str(aliases.get(CHAMPION)) != version.version:  # MLflow's file store says 1, its server "1"
        client.set_registered_model_alias(NAME, CHALLENGER, version.version)
    return version


def _by_digest(client: "MlflowClient", model_digest: str) -> Version | None:
    found = client.search_model_versions(f"name = '{NAME}' and tags.model_digest = '{model_digest}'", max_results=1)
    return _version(found[0]) if found else None


def _version(found: "ModelVersion") -> Version:
    tags = dict(found.tags)
    if "model_digest" not in tags:
        raise Rejected(
            f"version {found.version} of {NAME!r} does not say which model it holds",
            "Only versions made by `slipway register` are known to be gated; put the alias on one of those.",
        )
    return Version(version=str(found.version), run_id=str(found.run_id), tags=tags)
