"""`slipway promote`: record that a release became the stable of an environment; Git first, then the registry."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from slipway import releases
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.commands import Json, Root, emit
from slipway.commands.gate import TrackingUri
from slipway.commands.release import RECORDS, Environment, existing, stable, write
from slipway.errors import Rejected


def promote(
    version: Annotated[str, typer.Argument(help="Of the release, as in releases/.")],
    environment: Environment = "production",
    cause: Annotated[str, typer.Option(help="Why: verdict or person.")] = "person",
    tracking_uri: TrackingUri = None,
    root: Root = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Record VERSION as the stable of an environment, and give its model the alias `champion`.

    Does nothing where it is stable already.

    Examples:
    ```sh
    slipway promote 1.0.0
    slipway promote 1.4.0 --environment staging --cause verdict
    ```
    """
    from slipway.adapters import mlflow

    repository = Repository(root.resolve())
    record, recorded = existing(repository.root).get(version), stable(repository.root)
    if record is None:
        raise Rejected(f"there is no release {version}", f"Known ones stand in {RECORDS}/.")
    if recorded.environments.get(environment) != version:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        record, recorded = releases.promote(record, recorded, environment, at, cause)
        write(repository.root, record)
        files.write_record(repository.root / RECORDS / "stable.json", recorded)
        message = f"Promote {version} in {environment}\n\nSlipway-Promoted: {version}\nSlipway-Cause: {cause}"
        repository.publish([str(RECORDS)], message)
    mlflow.crown(mlflow.address(repository.root, tracking_uri), record.package.bundle.model_digest)
    emit(record, f"[green]promoted[/] {version}: the stable of {environment}, and the champion", as_json=as_json)
