"""`slipway promote`: record that a release became the stable of an environment; Git first, then the registry."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from slipway import records, releases
from slipway.adapters.git import Repository
from slipway.commands import Json, Root, TrackingUri, emit, shelf
from slipway.commands.release import Environment
from slipway.errors import Rejected


def _known(cause: records.Cause) -> records.Cause:
    if cause not in releases.CAUSES:
        raise typer.BadParameter(f"{cause!r} is none of {', '.join(releases.CAUSES)}")
    return cause


Cause = Annotated[records.Cause, typer.Option(callback=_known, help=f"Why: {' or '.join(releases.CAUSES)}.")]


def promote(
    version: Annotated[str, typer.Argument(help="Of the release, as in releases/.")],
    environment: Environment = releases.PRODUCTION,
    cause: Cause = "person",
    tracking_uri: TrackingUri = None,
    root: Root = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Record the release in flight, VERSION, as the stable of an environment.

    In production its model gets the alias `champion`. Does nothing where it is stable already.

    Examples:
    ```sh
    slipway promote 1.0.0
    slipway promote 1.4.0 --environment staging --cause verdict
    ```
    """
    from slipway.adapters import mlflow

    repository = Repository(root.resolve())
    repository.require_main()
    record, recorded = shelf.existing(repository.root).get(version), shelf.stable(repository.root)
    if record is None:
        raise Rejected(f"there is no release {version}", f"Known ones stand in {shelf.FOLDER}/.")
    if recorded.environments.get(environment) != version:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        record, recorded = releases.promote(record, recorded, environment, at, cause)
        shelf.write(repository.root, record)
        shelf.write_stable(repository.root, recorded)
        message = f"Promote {version} in {environment}\n\nSlipway-Promoted: {version}\nSlipway-Cause: {cause}"
        repository.publish([str(shelf.FOLDER)], message)
    said = f"[green]promoted[/] {version}: the stable of {environment}"
    if environment == releases.PRODUCTION:
        mlflow.crown(mlflow.address(repository.root, tracking_uri), record.package.bundle.model_digest)
        said += ", and the champion"
    emit(record, said, as_json=as_json)
