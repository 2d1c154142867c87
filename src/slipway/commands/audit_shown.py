"""How an audit is shown to a person: the chain, one link a line, digests whole so that they can be copied."""

from collections.abc import Iterator

from rich.markup import escape

from slipway import history
from slipway.lineage import Asked, Audit, Chain, Kind

MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}
ALSO: dict[str, Kind] = {"commit": "source commit"}  # links that are called by a shorter name


def shown(told: Audit) -> str:
    """Render an audit."""
    lines: list[str] = []
    if told.prediction:
        lines += _asked(told.prediction)
    else:
        named = (one for one in told.matches if one.kind != "version")
        lines += [f"[bold]{one.value}[/] is the {one.kind} of {', '.join(one.versions)}" for one in named]
    for chain in told.chains:
        lines += ["", *_chain(chain)] if lines else _chain(chain)
    return "\n".join([*lines, *(f"[dim]{escape(remark)}[/]" for remark in told.remarks)])


def _asked(one: Asked) -> Iterator[str]:
    truth = f"truth told: {one.truth:g}" if one.truth is not None else one.ledger
    yield f"[bold]prediction[/] {one.id}"
    yield f"  score      {one.score:.6g} in {one.environment}, {one.at}, pod {one.pod}"
    yield f"  signature  {one.signature}"
    yield f"  ledger     {truth}"
    yield f"  release    {one.version}, which was {one.state} there and then"


def _chain(one: Chain) -> Iterator[str]:
    yield f"[bold]release {one.version}[/]"
    yield _link(one, "image", one.image)
    yield _link(one, "bento", one.bento)
    holds = f"version {one.registered.version} of the registry, run {one.registered.run_id}" if one.registered else ""
    yield _link(one, "model", one.model, holds)
    there = f"{one.source.author}, {one.source.at}: {one.source.subject}" if one.source else "not in this clone"
    yield _link(one, "commit", one.source_commit, there)
    yield _link(one, "recipe", one.recipe, _agrees(one.source.recipe if one.source else None, "files"))
    yield _link(one, "data", one.data, _agrees(one.source.data if one.source else None, "data.dvc"))
    against = f"against {one.gate.champion} of {', '.join(one.champions)}" if one.gate.champion else "as the first"
    yield f"  gate       {'accepted' if one.gate.accepted else 'rejected'} {against}"
    yield f"             by the thresholds {one.gate.thresholds_digest} of {one.gate.base}"
    for check in one.gate.checks:
        yield f"             {MARKS[check.passed]} {check.name}: {escape(check.detail)}"
    for barred in one.quarantined:
        since = f"since {barred.version} was aborted in {barred.environment} ({barred.cause})"
        yield f"  [red]barred[/]     {barred.what} {barred.digest} {since}"
    for noted in one.events:
        yield f"  {noted.event.at[:16]} {noted.event.environment}: {escape(history.sentence(noted))}"


def _link(one: Chain, name: str, value: str, about: str = "") -> str:
    also = one.shared.get(ALSO.get(name, name), ())  # type: ignore[call-overload]
    known = ", ".join(filter(None, (about, f"also in {', '.join(also)}" if also else "")))
    return f"  {name:<10} {value}" + (f"  [dim]{escape(known)}[/]" if known else "")


def _agrees(found: bool | None, what: str) -> str:
    return {True: f"as the {what} of that commit", False: f"NOT as the {what} of that commit", None: ""}[found]
