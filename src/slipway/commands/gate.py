"""`slipway gate`: decide whether the model at hand may be registered and released."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from slipway import params, releases
from slipway.adapters import dvc, files
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.commands import DECISION, Json, Root, TrackingUri, emit, progress, shelf
from slipway.commands.evidence import judge
from slipway.errors import Broken, Rejected
from slipway.gate import Policy
from slipway.records import Check, GateDecision

MARKS = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "[dim]·[/]"}


def gate(
    *,
    first: Annotated[bool, typer.Option("--first", help="There is no champion yet: the floors decide alone.")] = False,
    stable: Annotated[
        bool,
        typer.Option("--stable", help="Against production's recorded stable, as pulled; the registry is not asked."),
    ] = False,
    base: Annotated[
        str | None,
        typer.Option("--base", help="The commit whose thresholds count. By default the last without this change."),
    ] = None,
    tracking_uri: TrackingUri = None,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Decide whether the trained model may be registered and released, and say why.

    It is held to the floors of `gate` in params.yaml, and must not be worse than the champion of the registry on
    the same unseen flights; that one must be signed. `gate` and `evaluate` are read from the base commit, so that
    no change can judge itself: origin/main; once the change is there, the commit that the recorded stable of
    production was made from. Before the first release there is none, and HEAD decides. A model or a recipe that is
    quarantined on origin/main, as it was fetched last, is refused whatever else is said of it. The decision is
    written to build/gate.json; the exit code is 0 when the model is accepted, 1 when not.

    A pull request has no login at the registry: with --stable the recorded stable, which `slipway pull` brings, takes
    the champion's place; where nothing was promoted yet the floors decide alone.

    Examples:
    ```sh
    slipway gate
    slipway gate --first
    slipway gate --stable
    slipway gate --base origin/main
    ```
    """
    if first and stable:
        raise Broken("--first says that there is no champion, and --stable who it is", "Give one of the two.")
    repository = Repository(root.resolve())
    (repository.root / DECISION).unlink(missing_ok=True)
    policy = read_policy(repository, base)
    with progress.status("gathering what is known of the model"):
        problems = dvc.stale(repository.root, "evaluate")
    with progress.status("comparing with the champion"):
        decided = judge(repository, tracking_uri, policy, problems, first=first, stable=stable)
    files.write_record(repository.root / DECISION, decided)
    emit(decided, table(decided), as_json=as_json)
    if not decided.accepted:
        raise typer.Exit(Rejected.exit_code)


def read_policy(repository: Repository, base: str | None) -> Policy:
    """Read the thresholds, and how to measure, from the base commit.

    Raises:
        Broken: there is no such commit, or it has no thresholds that this code knows.

    """
    name = base or before(repository)
    commit = repository.commit_of(name)
    if commit is None:
        raise Broken(f"there is no commit {name}", "Fetch it, or name another: --base REF")
    text = repository.show(commit, "params.yaml")
    if text is None:
        raise Broken(f"{name} has no params.yaml", "Name a commit that has the thresholds: --base REF")
    there = params.guards(files.parse_yaml(text, f"params.yaml of {name}"), f"params.yaml of {name}")
    here = files.read_params(repository.root / "params.yaml")
    return Policy(
        thresholds=there.gate,
        evaluate=there.evaluate,
        base=commit,
        changed=tuple(name for name in there.__struct_fields__ if getattr(there, name) != getattr(here, name)),
    )


def before(repository: Repository, change: str = "HEAD") -> str:
    """Name the last commit that everybody agreed on and that a change is not in; itself where nothing was released."""
    main = f"{REMOTE}/{BRANCH}"
    if repository.commit_of(main) and repository.git("rev-list", "--max-count=1", f"{main}..{change}"):
        return main
    version = shelf.stable(repository.root).environments.get(releases.PRODUCTION)
    return shelf.read(repository.root, version).package.bundle.source_commit if version else change


def table(decided: GateDecision) -> RenderableType:
    """The decision for a terminal."""
    outcome = "[bold green]accepted[/]" if decided.accepted else "[bold red]rejected[/]"
    lines: list[RenderableType] = [f"{outcome} {decided.model_digest}", listed(decided.checks)]
    if decided.guards_changed:
        changed = ", ".join(decided.guards_changed)
        lines.append(
            f"[bold red]guard changed[/] this tree changes `{changed}` of params.yaml;"
            f" the thresholds are those of {decided.base[:12]}"
        )
    return Group(*lines)


def listed(checks: Iterable[Check]) -> Table:
    """Checks for a terminal, one a line."""
    rows = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        rows.add_row(MARKS[check.passed], check.name, escape(check.detail))
    return rows
