"""`slipway status`: Git, the registry and the cluster side by side; 0 only where they agree."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from slipway import append_only, changes, history, planes, releases
from slipway.adapters.git import BRANCH, Repository
from slipway.adapters.seen import Folder
from slipway.commands import Json, Root, TrackingUri, emit, past
from slipway.commands.past import Past
from slipway.errors import Broken, Rejected
from slipway.manifests import tree
from slipway.planes import Applied, Held, Place, Registry, Status
from slipway.rollout.records import Phase, Seen

if TYPE_CHECKING:
    from slipway.adapters.mlflow import Version

Look = Callable[[Applied], Seen | None]
WORDS: dict[Phase, str] = {
    "progressing": "on its way to",
    "healthy": "serves",
    "aborted": "aborted",
    "paused": "paused",
}


def status(
    *,
    cluster: Annotated[bool, typer.Option("--cluster", help="The cluster must be reached, else exit 2.")] = False,
    rehearsal: Annotated[
        Path | None, typer.Option("--rehearsal", help="A folder of `slipway rehearse`, taken as the cluster.")
    ] = None,
    tracking_uri: TrackingUri = None,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Hold Git, the registry of models and the cluster against each other, and say what mends each disagreement.

    Git is what `origin/main` says now: the recorded stable and the release in flight, the image that Argo CD is told to
    apply, the quarantine, and that releases/ was only ever added to. The registry's champion must be the model of
    production's recorded stable. A cluster, where there is one, must serve what Git says.

    Exit code 1: they disagree. 2: Git or the registry could not be looked at, or the cluster with --cluster.

    Examples:
    ```sh
    slipway status
    slipway status --cluster --json
    slipway status --rehearsal build/rehearsal
    ```
    """
    repository = Repository(root.resolve())
    commit = past.tip(repository, fetched=True)
    found, unseen = past.read(repository, commit), list[str]()
    applied = {name: past.applied(repository, commit, name) for name in tree.ENVIRONMENTS}
    look = _looking(rehearsal, unseen, demanded=cluster)
    places = {
        name: Place(
            stable=found.last.stable.environments.get(name),
            in_flight=releases.in_flight(found.last.releases, name),
            applied=applied[name],
            cluster=_cluster(look, applied[name], name, unseen, demanded=cluster),
        )
        for name in tree.ENVIRONMENTS
    }
    registry = _registry(repository.root, tracking_uri, found, unseen)
    told = planes.compare(
        commit,
        found.last,
        places,
        registry,
        told=history.tell(found.events),
        altered=_altered(found),
        unseen=unseen,
    )
    emit(told, _shown(told), as_json=as_json)
    if told.disagreements:
        raise typer.Exit(Rejected.exit_code)
    if registry is None and places[releases.PRODUCTION].stable:
        raise typer.Exit(Broken.exit_code)


def _looking(rehearsal: Path | None, unseen: list[str], *, demanded: bool) -> Look | None:
    """How to see a rollout: in a rehearsal, in a cluster, or not at all."""
    if rehearsal is not None:
        return lambda applied: Folder(rehearsal).seen(applied.namespace, applied.rollout, time.time())
    from slipway.adapters.kubernetes import Cluster

    try:
        asked = Cluster()
    except Broken as error:
        if demanded:
            raise
        unseen.append(f"the cluster was not looked at: {error.what}")
        return None
    return lambda applied: asked.seen(applied.namespace, applied.rollout, time.time())


def _cluster(
    look: Look | None, applied: Applied | None, name: str, unseen: list[str], *, demanded: bool
) -> Seen | None:
    if look is None or applied is None:
        return None
    why = Broken(f"there is no rollout {applied.rollout} in {applied.namespace}", "Let Argo CD apply it.")
    try:
        if seen := look(applied):
            return seen
    except Broken as error:
        why = error
    if demanded:
        raise why
    unseen.append(f"the cluster was not looked at for {name}: {why.what}")
    return None


def _registry(root: Path, tracking_uri: str | None, found: Past, unseen: list[str]) -> Registry | None:
    from slipway.adapters import mlflow

    uri = mlflow.address(root, tracking_uri)
    if past.no_registry(uri):
        unseen.append(f"the registry was not looked at: there is none at {uri}. Name it with --tracking-uri.")
        return None
    try:
        champion, challenger = (mlflow.by_alias(uri, alias) for alias in (mlflow.CHAMPION, mlflow.CHALLENGER))
    except Broken as error:
        unseen.append(f"the registry was not looked at: {error.what}. {error.remedy}")
        return None
    return Registry(champion=_held(champion, found), challenger=_held(challenger, found))


def _held(version: "Version | None", found: Past) -> Held | None:
    if version is None:
        return None
    known = found.last.releases.items()
    holding = tuple(name for name, one in known if one.package.bundle.model_digest == version.model_digest)
    return Held(version=version.version, model_digest=version.model_digest, releases=holding)


def _altered(found: Past) -> list[str]:
    """What was taken away that releases/ held, and not put back, and the commit that did."""
    trusted: Mapping[str, str] = {}
    faults, since = list[str](), ""
    for revision, texts in zip(found.revisions, found.texts, strict=True):
        touched = {name for name in trusted.keys() | texts.keys() if trusted.get(name) != texts.get(name)}
        names = touched | {changes.STABLE, *(f"{version}.json" for version in revision.stable.environments.values())}
        faults = append_only.faults(_only(trusted, names), _only(texts, names))
        if not faults:
            trusted, since = texts, ""
        since = since or (revision.commit if faults else "")
    return [f"{fault}, by {since[:12]}" for fault in faults]


def _only(texts: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if name in names}


def _shown(told: Status) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "stable", "in flight", "Git applies", "registry", "cluster"):
        table.add_column(heading)
    for name, place in told.environments.items():
        champion = told.registry.champion if told.registry and name == releases.PRODUCTION else None
        table.add_row(
            name,
            place.stable or "-",
            place.in_flight or "-",
            _version(place.applied),
            f"champion {_named(champion)}" if champion else "",
            f"{WORDS[place.cluster.phase]} {place.cluster.image[7:19]}" if place.cluster else "",
        )
    lines: list[RenderableType] = [
        f"[dim]{BRANCH} at {told.commit[:12]}; {told.quarantined} digests quarantined[/]",
        table,
        *(f"[dim]{escape(remark)}[/]" for remark in told.remarks),
    ]
    for one in told.disagreements:
        lines += [f"[bold red]disagree[/] {one.where}: {escape(one.what)}", f"  [dim]->[/] {escape(one.remedy)}"]
    if not told.disagreements:
        lines.append("[bold green]agree[/]" if told.registry else "[yellow]no disagreement found[/]")
    return Group(*lines)


def _named(held: Held) -> str:
    return f"{'/'.join(held.releases) or 'unknown'} (version {held.version})"


def _version(applied: Applied | None) -> str:
    if applied is None:
        return "-"
    version = applied.image.partition("@")[0].rpartition(":")[2]
    return f"{version} (rollback)" if applied.rollback else version
