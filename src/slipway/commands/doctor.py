"""`slipway doctor`: is a live cluster what a canary needs; 0 only where every check could be made, and is well."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from slipway import doctor as checks
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.canary import settings
from slipway.canary.facts import at
from slipway.commands import Json, Root, deciding, emit, past
from slipway.commands.history import Only
from slipway.doctor.records import Answer, Report, State, Wanted, World
from slipway.errors import Broken, Rejected
from slipway.manifests import tree

if TYPE_CHECKING:
    from slipway.adapters.kubernetes import Api

STYLES: dict[State, str] = {"ok": "green", "wrong": "bold red", "cannot tell": "yellow"}
AT_A_TIME = 8  # questions: a Service that is silent takes seconds
AGAIN = 3.0  # seconds: what is not ok by then was not a moment between two states
NOTIFICATIONS, HEALTH = "argocd/notifications.yaml", "argocd/health.yaml"
VERSION = "/version"


def doctor(environment: Only = None, root: Root = Path(), *, as_json: Json = False) -> None:
    """Look a live cluster over: versions, router, Argo CD, rollout, judge, relay, counters, ledger, secrets.

    The cluster is that of the current kubeconfig; it is only read, with your rights. What it should be is what main
    says: the manifests that Argo CD applies, argocd/ and rollouts/judge.yaml. Each finding that is not ok says where,
    what was found, and what mends it. Secrets are compared by digest and never shown.

    Exit code 1: something is wrong, or a check could not be made ("cannot tell" is never ok: most often you lack a
    right). 2: the cluster cannot be reached, or main cannot be read.

    Examples:
    ```sh
    slipway doctor
    slipway doctor --environment production --json
    ```
    """
    from slipway.adapters.kubernetes import Api

    api = Api()
    world = _told(Repository(root.resolve()), environment)
    first = api.ask(VERSION)
    if first.status != 200:
        said = f"says {first.status} {at(first.body, 'reason') or ''}".rstrip() if first.status else "does not answer"
        raise Broken(f"the cluster at {api.server} {said}", "Look at the kubeconfig: `kubectl version` must answer.")
    report = _examined(api, world, {VERSION: first})
    if report.count("ok") < len(report.findings):
        time.sleep(AGAIN)
        report = _examined(api, _told(Repository(root.resolve()), environment), {VERSION: first})
    emit(report, _shown(report, api.server), as_json=as_json)
    if report.count("ok") < len(report.findings):
        raise typer.Exit(Rejected.exit_code)


def _examined(api: "Api", world: World, answers: Mapping[str, Answer]) -> Report:
    """Read all that is asked for, and examine it."""
    known = dict(answers)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        while asked := sorted(checks.unasked(msgspec.structs.replace(world, answers=known))):
            known |= dict(zip(asked, pool.map(api.ask, asked), strict=True))
    return checks.examine(msgspec.structs.replace(world, answers=known))


def _told(repository: Repository, environment: str | None) -> World:
    """What main says, and nothing yet of the cluster.

    Raises:
        Broken: there is no main, or it lacks what this compares with.

    """
    commit = past.tip(repository)
    text = repository.show(commit, str(deciding.SETTINGS))
    if text is None:
        raise Broken(f"{commit[:12]} has no {deciding.SETTINGS}", "Run it in a clone of the repository: --root")
    names = [environment] if environment else tree.ENVIRONMENTS
    proposed = {name: _objects(repository, commit, f"k8s/next/{name}") for name in tree.ENVIRONMENTS}
    policies = [each for each in proposed[names[0]] if each["kind"] == "NetworkPolicy"]
    allowed = at(policies[0], "spec", "ingress", 0, "from") if policies else ()
    return World(
        commit=commit,
        now=time.time(),
        settings=settings.parse(files.parse_yaml(text, str(deciding.SETTINGS)), str(deciding.SETTINGS)),
        notifications=_object(repository, commit, NOTIFICATIONS),
        health=_object(repository, commit, HEALTH),
        let_in=frozenset(
            str(at(peer, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name")) for peer in allowed or ()
        ),
        environments=tuple(_wanted(repository, commit, name, proposed[name]) for name in names),
        answers={},
    )


def _object(repository: Repository, commit: str, name: str) -> dict[str, Any]:
    return next(iter(tree.parse(repository.show(commit, name) or "", name)), {})


def _objects(repository: Repository, commit: str, folder: str) -> list[dict[str, Any]]:
    return tree.objects(repository.texts(commit, folder, ".yaml"))


def _wanted(repository: Repository, commit: str, name: str, proposed: list[dict[str, Any]]) -> Wanted:
    """An environment as it was released, else as it is to be."""
    released = _objects(repository, commit, f"k8s/rendered/{name}")
    by_kind: Mapping[str, Any] = {each["kind"]: each for each in released or proposed}
    if not {"Rollout", "AnalysisTemplate"} <= by_kind.keys():
        raise Broken(f"{commit[:12]} has no Rollout for {name}", "Run `slipway manifests render`, and commit.")
    applied = past.applied(repository, commit, name)
    metadata = by_kind["Rollout"]["metadata"]
    return Wanted(
        name=name,
        namespace=metadata["namespace"],
        rollout=metadata["name"],
        judge=str(at(by_kind["AnalysisTemplate"], "spec", "metrics", 0, "provider", "prometheus", "address")),
        image=applied.image if applied else None,
    )


def _shown(report: Report, server: str) -> RenderableType:
    lines: list[RenderableType] = [f"[dim]{escape(server)}, held against main at {report.commit[:12]}[/]"]
    for place in dict.fromkeys(each.place for each in report.findings):
        table = Table(
            box=None, pad_edge=False, show_header=False, title=place, title_justify="left", title_style="bold"
        )
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for each in (one for one in report.findings if one.place == place):
            about = each.found if each.where == place else f"{each.where}: {each.found}"
            table.add_row(f"[{STYLES[each.state]}]{each.state}[/]", each.check, escape(about))
            if each.remedy:
                table.add_row("", "", f"[dim]->[/] {escape(each.remedy)}")
        lines.append(table)
    wrong, unknown = report.count("wrong"), report.count("cannot tell")
    if wrong:
        lines.append(f"[bold red]{wrong} wrong[/]" + (f", {unknown} could not be told" if unknown else ""))
    elif unknown:
        lines.append(f"[yellow]nothing wrong was found, and {unknown} checks could not be made: that is not ok yet[/]")
    else:
        lines.append(f"[bold green]ok[/] {len(report.findings)} checks")
    return Group(*lines)
