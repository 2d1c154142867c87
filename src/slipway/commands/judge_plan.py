"""`slipway judge plan`: how long the traffic at hand needs for a verdict, and whether it can decide at all."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.table import Table

from slipway import manifests, releases
from slipway.adapters import files
from slipway.canary.records import Policy
from slipway.canary.units import duration, points
from slipway.commands import Json, Root, deciding, emit
from slipway.commands.deciding import SETTINGS
from slipway.commands.options import Environment
from slipway.errors import Broken, Rejected
from slipway.manifests import tree

if TYPE_CHECKING:
    from slipway.canary.planning import Need, Plan


def plan(
    environment: Environment = releases.PRODUCTION,
    *,
    rps: Annotated[float | None, typer.Option("--rps", min=0.0001, help="Requests a second, of both arms.")] = None,
    weight: Annotated[list[float] | None, typer.Option("--weight", help="Share of the canary at a gated step.")] = None,
    base: Annotated[list[str] | None, typer.Option("--base", help="What stable shows: METRIC=SHARE.")] = None,
    margin: Annotated[list[str] | None, typer.Option("--margin", help="What is too much: METRIC=SHARE.")] = None,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Say how many requests and how long a verdict needs, and whether that is before the deadline.

    What no option says is taken from rollouts/judge.yaml and from the manifests in k8s/next. The times are averages: a
    canary that is like stable is promoted, one that is worse is aborted; half of them take longer. The exit code is 1
    when a canary that is like stable is not promoted before the deadline: `slipway release` then refuses, too.

    Examples:
    ```sh
    slipway judge plan
    slipway judge plan --rps 5 --weight 0.1 --weight 0.5 --base errors=0.002
    slipway judge plan --environment staging --rps 200 --margin truth=0.03
    ```
    """
    known = deciding.read(root / SETTINGS)
    deployed, problems = manifests.examine(tree.objects(files.read_texts(root / "k8s/next" / environment, "*.yaml")))
    if deployed is None or problems:
        raise Rejected(f"the manifests of {environment} are refused: {problems[0]}", "Run `slipway manifests check`.")
    weights, timing = deciding.gated(deployed)
    traffic = rps or known.traffic.get(environment)
    if traffic is None:
        raise Broken(f"{SETTINGS} does not say how much traffic {environment} has", "Say it there, or with --rps.")
    if any(not 1e-4 <= each < 1 for each in weight or ()):
        raise typer.BadParameter("a weight is a share from 0.0001 on and below 1")
    policy = _with(_with(known.policy, "base", base or ()), "margin", margin or ())
    found = deciding.plan(policy, timing, weight or weights, traffic)
    emit(found, _table(found, environment), as_json=as_json)
    if not found.decidable:
        raise typer.Exit(Rejected.exit_code)


def _with(policy: Policy, field: str, given: Sequence[str]) -> Policy:
    """Change a field of some metrics, given as METRIC=SHARE."""
    metrics = dict(policy.metrics)
    for each in given:
        name, _, share = each.partition("=")
        known = next((kind for kind in metrics if kind == name), None)
        try:
            if known is None:
                raise typer.BadParameter(f"{each!r}: {SETTINGS} has no metric {name!r}, only {', '.join(metrics)}")
            changed = msgspec.structs.asdict(metrics[known]) | {field: float(share)}
            metrics[known] = msgspec.convert(changed, type(metrics[known]))
        except ValueError as error:
            raise typer.BadParameter(f"{each!r} is no METRIC=SHARE with a share between 0 and 1") from error
    return msgspec.structs.replace(policy, metrics=metrics)


def _table(found: "Plan", environment: str) -> RenderableType:
    rows = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("step", "metric", "margin"):
        rows.add_column(name, justify="right" if name == "margin" else "left", no_wrap=True)
    for name in ("promote: alike", "abort: 2 margins", "abort: 4 margins"):
        rows.add_column(name, justify="right", no_wrap=True)
    for step in found.steps:
        rows.add_row()
        for number, metric in enumerate(each for each in found.metrics if each.step == step.step):
            rows.add_row(
                f"{step.step}: {step.weight:.0%}" if number == 0 else "",
                metric.name if metric.required else f"({metric.name})",
                points(metric.margin),
                *(_need(need) for need in (metric.promote, metric.abort_double, metric.abort_fourfold)),
            )
    way = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("the whole way", "from", "to", "waits last for"):
        way.add_column(name)
    for step in found.steps:
        way.add_row(f"{step.step}: {step.weight:.0%}", duration(step.start), duration(step.end), step.waits_for)
    mark = "[bold green]in time[/]" if found.decidable else "[bold red]too slow[/]"
    lines: list[RenderableType] = [
        f"{mark} {deciding.verdict(found, environment)}",
        "[dim]Canary requests, and how long they take at each weight, on average. In brackets: not asked for yet.[/]",
        *(rows, "", way),
    ]
    if not found.decidable:
        lines += ["", "Any of these would help:", *(f"  {remedy}" for remedy in deciding.remedies(found))]
    return Group(*lines)


def _need(need: "Need") -> str:
    size, name = next(
        ((size, name) for size, name in ((86400, "d"), (3600, "h"), (60, "min")) if need.seconds >= size), (1, "s")
    )
    return f"{need.requests:,.0f} {need.seconds / size:>6.1f} {name:3}"
