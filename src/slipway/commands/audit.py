"""`slipway audit`: the whole chain of a prediction, a digest, a commit or a version, in both directions."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from slipway import history, identity, lineage
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.commands import Json, Root, TrackingUri, emit, past
from slipway.commands.audit_links import checked
from slipway.commands.audit_shown import shown
from slipway.commands.options import database
from slipway.commands.past import Past
from slipway.errors import Broken, Rejected
from slipway.lineage import Asked, Audit, Chain, Registered, Source
from slipway.predictions import Origin
from slipway.records import Bundle


def audit(
    subject: Annotated[str, typer.Argument(help="A prediction's id, a version, or 12 digits of a digest or commit.")],
    ledger: Annotated[
        str | None,
        typer.Option("--ledger", help="The ledger, or a file that names it, to ask for a prediction's truth."),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="File of the keys that sign ids, to check a prediction's.")
    ] = None,
    tracking_uri: TrackingUri = None,
    root: Root = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Follow a prediction back to its data, or data, a commit, a recipe, a model or an image forward to where it ran.

    What is printed of each release is read from the commits of `origin/main`. Its signature is verified, and each link
    held against what was signed; recipe and data also against the files of the source commit. The id of a prediction
    names its release itself; with --keys its signature is checked, with --ledger its truth is looked up.

    Exit code 1: nothing has that name, several have, the id is forged, or a link is contradicted. A signature that
    cannot be checked, as without network, is shown as that, and contradicts nothing.

    Examples:
    ```sh
    slipway audit 1.1.0
    slipway audit sha256:3ca6ec22eefa
    slipway audit 1~9c56cc51~production~1.2.0~6d4cf56db6~... --keys keys --ledger sqlite:////var/ledger.db
    ```
    """
    origin = _origin(subject, keys) if "~" in subject else None
    repository = Repository(root.resolve())
    found = past.read(repository, past.tip(repository))
    known, events, remarks = found.last.releases, found.events, list[str]()
    matches = lineage.find(origin.release if origin else subject, known, events)
    registered = _registered(
        {version: known[version].package.bundle for match in matches for version in match.versions},
        repository.root,
        tracking_uri,
        remarks,
    )
    told = Audit(
        subject=subject,
        matches=matches,
        prediction=_asked(origin, found, ledger, checked=keys is not None) if origin else None,
        chains=tuple(_chain(repository, found, version, there) for version, there in reversed(registered.items())),
        remarks=tuple(remarks),
    )
    emit(told, shown(told), as_json=as_json)
    if any(link.holds is False for chain in told.chains for link in chain.links):
        raise typer.Exit(Rejected.exit_code)


def _chain(repository: Repository, found: Past, version: str, registered: Registered | None) -> Chain:
    known = found.last.releases
    source = _source(repository, known[version].package.bundle)
    signature, links = checked(repository, found.tip, version, known[version], source)
    return lineage.chain(
        version,
        known,
        found.events,
        found.last.quarantine,
        registered=registered,
        source=source,
        signature=signature,
        links=links,
    )


def _origin(subject: str, keys: Path | None) -> Origin:
    """What an id says, verified where there are keys.

    Raises:
        Rejected: it is none, or was not made with one of these keys.

    """
    try:
        origin = identity.read(subject)
        if keys is not None:
            ring = identity.keyring([line for line in files.read_bytes(keys).split() if line])
            identity.verify(subject, ring, origin.environment, time.time())
    except identity.Refused as error:
        raise Rejected(f"{subject} is refused ({error.reason}): {error}", _REMEDIES[error.reason]) from None
    return origin


_REMEDIES = {
    "malformed": "Give the id whole, as the service answered it.",
    "key": "Name the file that holds the key of that time: --keys FILE.",
    "forged": "Whoever gave it to you has changed it, or made it up.",
    "future": "See whose clock is wrong.",
}


def _asked(origin: Origin, found: Past, ledger: str | None, *, checked: bool) -> Asked:
    at = datetime.fromtimestamp(origin.at, UTC).isoformat(timespec="seconds")
    said: dict[str, float | None] = {}
    if ledger is not None:
        from slipway.adapters.ledger import Ledger

        opened = Ledger(database(ledger), read_only=True)
        try:
            said = opened.truths([origin.id])
        finally:
            opened.close()
    truth = said.get(origin.id)
    stored = "not stored" if origin.id not in said else "no truth yet" if truth is None else "truth told"
    return Asked(
        id=origin.id,
        version=origin.release,
        environment=origin.environment,
        at=at,
        score=origin.score,
        pod=origin.pod,
        signature="verified" if checked else "not checked",
        state=history.state(found.events, origin.release, origin.environment, at),
        ledger=stored if ledger is not None else "not asked",  # type: ignore[arg-type]
        truth=truth,
    )


def _source(repository: Repository, bundle: Bundle) -> Source | None:
    """The commit that a release was made from, held against what the release says of it."""
    commit = bundle.source_commit
    if repository.commit_of(commit) is None:
        return None
    author, at, subject = repository.git("show", "--no-patch", "--format=%an%x09%aI%x09%s", commit).split("\t", 2)
    data = files.parse_yaml(repository.show(commit, "data.dvc") or "outs: []", f"data.dvc of {commit}").get("outs")
    return Source(
        commit=commit,
        author=author,
        at=at,
        subject=subject,
        recipe=past.recipe_of(repository, commit) == bundle.recipe_digest,
        data=bool(data) and f"md5:{data[0].get('md5')}" == bundle.data_digest,
    )


def _registered(
    bundles: dict[str, Bundle], root: Path, tracking_uri: str | None, remarks: list[str]
) -> dict[str, Registered | None]:
    """The registry's versions of these releases' models, or none where it cannot be asked."""
    from slipway.adapters import mlflow

    uri = mlflow.address(root, tracking_uri)
    nowhere = dict.fromkeys(bundles, None)
    if past.no_registry(uri):
        remarks.append(f"the registry was not asked: there is none at {uri}. Name it with --tracking-uri.")
        return nowhere
    try:
        found = {version: mlflow.holding(uri, bundle.model_digest) for version, bundle in bundles.items()}
    except Broken as error:
        remarks.append(f"the registry was not asked: {error.what}. {error.remedy}")
        return nowhere
    return {
        version: Registered(version=one.version, run_id=one.run_id) if one else None for version, one in found.items()
    }
