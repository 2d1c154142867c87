"""`slipway track`: note the training at hand in MLflow."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from slipway import recipe
from slipway.adapters import dvc, files
from slipway.adapters.git import Repository
from slipway.commands import METRICS, MODEL, Json, Root, TrackingUri, emit, progress
from slipway.errors import Rejected
from slipway.records import Metrics, ModelInfo, Tracked

FILES = (
    str(METRICS),
    "artifacts/plots",
    "artifacts/validation.json",
    "params.yaml",
    "dvc.yaml",
    "dvc.lock",
)


def track(*, tracking_uri: TrackingUri = None, root: Root = Path(), as_json: Json = False) -> None:
    """Note the training at hand in MLflow: parameters, metrics with intervals, slices, plots, validation, locks.

    The same model of the same commit is noted once.

    Examples:
    ```sh
    slipway track
    slipway track --tracking-uri https://mlflow.example.org
    ```
    """
    from slipway.adapters import mlflow

    repository = Repository(root.resolve())
    with progress.status("noting the run"):
        noted = note(repository, mlflow.address(repository.root, tracking_uri))
    emit(noted, f"[green]tracked[/] run {noted.run_id} of the experiment {mlflow.NAME!r}", as_json=as_json)


def note(repository: Repository, uri: str) -> Tracked:
    """Make the run in MLflow, or find it."""
    from slipway.adapters import mlflow

    root = repository.root
    if missing := [name for name in FILES if not (root / name).exists()]:
        raise Rejected(f"the pipeline has not run to its end: {', '.join(missing)} does not exist", "Run `dvc repro`.")
    model = files.read_record(ModelInfo, root / MODEL / "model.json")
    run = mlflow.Run(
        parameters=dict(_flat(files.parse_yaml(files.read_bytes(root / "params.yaml"), "params.yaml"))),
        metrics=dict(_measured(files.read_record(Metrics, root / METRICS))),
        tags=tags(repository, model),
        files=tuple(root / name for name in FILES),
    )
    return Tracked(run_id=mlflow.track(uri, run), model_digest=model.model_digest)


def tags(repository: Repository, model: ModelInfo) -> dict[str, str]:
    """Where a model comes from, in the words of MLflow's tags."""
    made = datetime.fromtimestamp((repository.root / MODEL / "model.onnx").stat().st_mtime, UTC)
    return {
        "model_digest": model.model_digest,
        "recipe_digest": recipe.digest(files.read_matching(repository.root, recipe.PATTERNS)),
        "data_digest": dvc.data_digest(repository.root),
        "source_commit": repository.head() + ("+changes" if repository.dirty() else ""),
        "request_version": str(model.request_version),
        "estimator": model.estimator,
        "trained_at": made.isoformat(timespec="seconds"),  # when the file was made here
        "training_window": f"{model.train.first} to {model.train.last}",
    }


def _flat(section: dict[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _measured(metrics: Metrics) -> Iterator[tuple[str, float]]:
    for name, estimate in metrics.overall.items():
        for end, value in msgspec.structs.asdict(estimate).items():
            yield name if end == "value" else f"{name}_{end}", value
    for group in metrics.slices:
        if group.auc is not None:
            yield f"auc/{group.by}/{group.group}", group.auc.value
