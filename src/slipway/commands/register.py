"""`slipway register`: the accepted model becomes a version in MLflow, and the challenger."""

from pathlib import Path
from typing import TYPE_CHECKING

from slipway import digests
from slipway.adapters import dvc, files
from slipway.adapters.git import Repository
from slipway.commands import DECISION, METRICS, MODEL, Json, Root, TrackingUri, emit, progress, verifying
from slipway.commands.track import note, tags
from slipway.commands.verifying import Verified
from slipway.errors import Rejected
from slipway.records import GateDecision, Metrics, ModelInfo, Registered

if TYPE_CHECKING:
    from slipway.adapters.mlflow import Version
    from slipway.adapters.onnx import Floats

MODEL_FILES = ("model.onnx", "model.json")


def register(*, tracking_uri: TrackingUri = None, root: Root = Path(), as_json: Json = False) -> None:
    """Register the model that the gate has accepted and the workflow has signed; it gets the alias `challenger`.

    The version holds the model with signature and input example, and as tags where it comes from, what was measured,
    and the gate's decision. A model that is registered already keeps its version and tags.

    Examples:
    ```sh
    slipway register
    slipway register --json
    ```
    """
    from slipway.adapters import mlflow

    repository = Repository(root.resolve())
    repository.require_clean()
    decided = admitted(repository.root)
    dvc.require(repository.root, "evaluate")
    verified = _signed(repository, decided)
    uri = mlflow.address(repository.root, tracking_uri)
    with progress.status("registering the model"):
        found = mlflow.challenge(uri, decided.model_digest)
        made = found or _register(repository, uri, decided, verified)
    done = Registered(name=mlflow.NAME, version=made.version, model_digest=made.model_digest, new=found is None)
    how = "which was registered already, and keeps its tags" if found else f"and {mlflow.CHALLENGER}"
    emit(
        done,
        f"[green]registered[/] {mlflow.NAME} version {made.version}, {how}\n  {made.model_digest}",
        as_json=as_json,
    )


def admitted(root: Path) -> GateDecision:
    """Return the decision that lets the model at hand in.

    Raises:
        Rejected: there is none, it is no, or it is about another model.

    """
    path, again = root / DECISION, "Run `slipway gate`, and see what it says."
    if not path.exists():
        raise Rejected(f"{DECISION} does not exist: nothing has let this model in", again)
    decided = files.read_record(GateDecision, path)
    found = digests.of_bytes(files.read_bytes(root / MODEL / "model.onnx"))
    if not decided.accepted:
        raise Rejected(f"the gate has rejected {decided.model_digest}", again)
    if found != decided.model_digest:
        raise Rejected(f"the gate has accepted {decided.model_digest}, the model at hand is {found}", again)
    return decided


def _signed(repository: Repository, decided: GateDecision) -> Verified:
    """What was signed, if it is the model that the gate has accepted, and by the same decision."""
    verified = verifying.built(repository)
    if verified.package.bundle.model_digest != decided.model_digest:
        raise Rejected(
            f"the gate has accepted {decided.model_digest}, signed was {verified.package.bundle.model_digest}",
            "Run `slipway package` and `slipway sign` for the model at hand.",
        )
    verifying.require_same_gate(verified, decided)
    found = {name: digests.of_bytes(files.read_bytes(repository.root / MODEL / name)) for name in MODEL_FILES}
    verifying.require_same_model(verified, found)
    return verified


def _register(repository: Repository, uri: str, decided: GateDecision, verified: Verified) -> "Version":
    from slipway.adapters import mlflow

    root = repository.root
    model = files.read_record(ModelInfo, root / MODEL / "model.json")
    about = tags(repository, model) | _about(root, decided, verified)
    return mlflow.register(uri, note(repository, uri).run_id, root / MODEL, _example(root), about)


def _about(root: Path, decided: GateDecision, verified: Verified) -> dict[str, str]:
    """What a version's tags say besides where the model comes from."""
    metrics = files.read_record(Metrics, root / METRICS)
    measured = {
        f"metric.{name}": f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
        for name, estimate in metrics.overall.items()
    }
    return measured | {
        "version": verified.package.bundle.version,
        "signed_by": verified.signed.run.invocation,
        "gate": "accepted, first" if decided.first else "accepted",
        "gate_base": decided.base,
        "gate_thresholds": decided.thresholds_digest,
        "test_window": f"{metrics.test.first} to {metrics.test.last}",
        "info_digest": digests.of_bytes(files.read_bytes(root / MODEL / "model.json")),
    }


def _example(root: Path) -> "Floats":
    import polars as pl

    from slipway import features

    return features.matrix(pl.read_parquet(root / "artifacts/splits/test.parquet").head(1))
