"""`slipway monitor`: is what is live still well, by the truth that came in since; if not, how to go back."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape

from slipway import card, history, markdown, releases
from slipway.adapters import files, github
from slipway.adapters.git import Repository
from slipway.changes import State
from slipway.commands import Json, Root, emit, past, verifying
from slipway.commands.gate import listed
from slipway.commands.history import clock
from slipway.commands.options import Environment, database
from slipway.errors import Broken, Rejected
from slipway.predictions import Counted
from slipway.records import Estimate, Package

if TYPE_CHECKING:
    from slipway.monitor import Asked, Monitored


def monitor(
    ledger: Annotated[
        str,
        typer.Option(
            "--ledger", envvar="SLIPWAY_LEDGER", callback=database, help="The ledger, or a file that names it."
        ),
    ],
    environment: Environment = releases.PRODUCTION,
    root: Root = Path(),
    *,
    issue: Annotated[
        bool, typer.Option("--issue", help="In a workflow on GitHub: open an issue about what is not well, once.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Hold the live champion to its objective, and to what it promised in training, by the truth that the ledger has.

    The champion is the recorded stable of the environment, its training metrics are those of its model card, and the
    limits are `monitor` of params.yaml, all as main has them. Only what is shown to be bad, with the whole of its
    interval, is not well. Then an earlier promoted release is named, and the command that goes back to it; a person
    runs it, no machine does.

    Exit code 0 also where it is too early to say: too little is known, and the release is younger than `maturity_hours`
    and `least_days` of params.yaml together; or nothing is live yet. 1: not well. 2: too little is known of an older
    release, or the ledger does not answer.

    Examples:
    ```sh
    slipway monitor --ledger sqlite:////var/ledger.db
    slipway monitor --ledger sqlite:///build/ledger.db --environment staging --json
    slipway monitor --ledger sqlite:////var/ledger.db --issue
    ```
    """
    from slipway import monitor as monitoring

    told = monitoring.judge(_asked(Repository(root.resolve()), ledger, environment))
    emit(told, _shown(told), as_json=as_json)
    if told.well is False:
        if issue:
            github.here().open_issue(f"{told.version} is not well in {environment}", _reported(told))
        raise typer.Exit(Rejected.exit_code)


def _asked(repository: Repository, ledger: str, environment: str) -> "Asked":
    from slipway.monitor import Asked, stretch

    found = past.read(repository, past.tip(repository))
    state = State(releases=found.last.releases, stable=found.last.stable, quarantine=found.last.quarantine)
    params = files.parse_params(repository.show(found.tip, "params.yaml") or "", f"params.yaml of {found.tip[:12]}")
    live, held, now = state.stable_of(environment), params.monitor, time.time()
    return Asked(
        environment=environment,
        state=state,
        past=history.tell(found.events),
        held=held,
        evaluate=params.evaluate,
        trained=_trained(repository, found.tip, live.package) if live else {},
        counted=_counted(ledger, environment, live.package.bundle.version, *stretch(held, now)) if live else (),
        now=now,
    )


def _counted(ledger: str, environment: str, version: str, since: float, until: float) -> tuple[Counted, ...]:
    from slipway.adapters.ledger import Ledger, counts

    opened = Ledger(ledger, read_only=True)
    try:
        return counts.counted(opened, environment=environment, release=version, since=since, until=until)
    finally:
        opened.close()


def _trained(repository: Repository, commit: str, package: Package) -> Mapping[str, Estimate]:
    """The metrics of the test window, as the release's model card has them."""
    path = str(verifying.committed(package.bundle.version)[1])
    try:
        return card.check(json.loads(repository.show(commit, path) or "null"), package).overall
    except (ValueError, Rejected) as error:  # that is no finding about what is live
        raise Broken(f"{path} of {commit[:12]} tells no metrics: {error}", "slipway audit says whose it is.") from error


def _reported(told: "Monitored") -> str:
    """The issue, in Markdown."""
    about = f"{told.truths:,} truths of {told.answered:,} predictions, from {told.since} to {told.until}:"
    failed = (f"- {markdown.code(one.name)} {markdown.code(one.detail)}" for one in told.checks if one.passed is False)
    back = "No earlier release can come back: train a new one."
    if told.command:
        back = f"{told.way_back} was live before. A person goes back to it:\n\n```sh\n{told.command}\n```"
    return "\n".join((about, "", *failed, "", back))


def _shown(told: "Monitored") -> RenderableType:
    if told.live_since is None or told.judged_from is None:
        return f"nothing is live in {told.environment} yet: nothing to judge"
    if told.well is None:
        since, judged_from = clock(told.live_since), clock(told.judged_from)
        return (
            f"[bold yellow]too early to say[/]: {told.version} is live in {told.environment} since {since} UTC;"
            f" judged from {judged_from} UTC\nnot known yet: {'; '.join(told.missing)}"
        )
    outcome = "[bold green]well[/]" if told.well else "[bold red]not well[/]"
    about = f"{told.truths:,} truths of {told.answered:,} predictions"
    lines: list[RenderableType] = [
        f"{outcome} {told.version} in {told.environment}: {about} from {clock(told.since)} to {clock(told.until)} UTC",
        listed(told.checks),
    ]
    if told.command:
        lines.append(
            f"[dim]->[/] {told.way_back} was live before. A person goes back to it:\n   {escape(told.command)}"
        )
    elif not told.well:
        lines.append("[dim]->[/] No earlier release can come back: train a new one.")
    return Group(*lines)
