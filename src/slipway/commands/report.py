"""`slipway report`: what a run has found out about a change, as one record, however far it came."""

from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

from slipway.adapters import dvc, files
from slipway.commands import BUILD, DECISION, METRICS, MODEL, REPORT, VALIDATION, Json, Root, emit
from slipway.commands.evidence import read_metrics
from slipway.commands.rehearse_folder import RESULT
from slipway.records import GateDecision, ModelInfo, Package, Validation
from slipway.report import Data, Report
from slipway.rollout.records import Rehearsed

Record = TypeVar("Record", bound=msgspec.Struct)


def report(
    *,
    rehearsal: Annotated[Path, typer.Option("--rehearsal", help="A folder of `slipway rehearse`.")] = (
        BUILD / "rehearsal/production"
    ),
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Gather what this run has found out: the gate's decision, metrics, the rehearsal, the data.

    It is written to build/report.json, from which `slipway comment` makes what a reviewer reads. What the run did not
    come to is left out, and so is what is about another model than the one at hand.

    Examples:
    ```sh
    slipway report
    slipway report --rehearsal build/rehearsal/staging
    ```
    """
    found = gathered(root, root / rehearsal)
    files.write_record(root / REPORT, found)
    parts = [name for name in ("gate", "metrics", "rehearsal", "data") if getattr(found, name) is not None]
    emit(found, f"[green]written[/] {REPORT}: {', '.join(parts) or 'no part of it was made'}", as_json=as_json)


def gathered(root: Path, rehearsal: Path) -> Report:
    """Read the parts that belong together.

    Raises:
        Broken: a part is there and cannot be read.

    """
    model, decided = _read(ModelInfo, root / MODEL / "model.json"), _read(GateDecision, root / DECISION)
    played, package = _read(Rehearsed, rehearsal / RESULT), _read(Package, root / BUILD / "package.json")
    validation, (metrics, _) = _read(Validation, root / VALIDATION), read_metrics(root / METRICS)
    digest = model.model_digest if model else None
    packaged = package.image_digest if package and package.bundle.model_digest == digest else None
    return Report(
        gate=decided if decided and decided.model_digest == digest else None,
        model=model,
        metrics=metrics if metrics and metrics.model_digest == digest else None,
        rehearsal=played if played and played.image == packaged else None,
        data=Data(digest=dvc.data_digest(root), months=validation.months) if validation else None,
    )


def _read(kind: type[Record], path: Path) -> Record | None:
    return files.read_record(kind, path) if path.exists() else None
