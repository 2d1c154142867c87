"""How an audit is shown to a person: the chain, one link a line, digests whole so that they can be copied."""

from collections.abc import Iterator

from rich.markup import escape

from slipway import history
from slipway.commands import verifying
from slipway.lineage import Asked, Audit, Chain, Kind, Link

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
    links = {link.name: link for link in one.links}
    yield f"[bold]release {one.version}[/]"
    yield from _signature(one, links["signature"])
    yield _link(one, links["image"], one.image)
    yield _link(one, links["bento"], one.bento)
    holds = f"version {one.registered.version} of the registry, run {one.registered.run_id}" if one.registered else ""
    yield _link(one, links["model"], one.model, holds)
    yield _link(one, links["card"], str(verifying.committed(one.version)[1]))
    there = f"{one.source.author}, {one.source.at}: {one.source.subject}" if one.source else ""
    yield _link(one, links["commit"], one.source_commit, there)
    yield _link(one, links["recipe"], one.recipe)
    yield _link(one, links["data"], one.data)
    parent = f"of {', '.join(one.champions) or 'no release of main'}" if one.gate.champion else ""
    yield _link(one, links["parent"], one.gate.champion or "none, it was the first", parent)
    yield _link(one, links["gate"], "accepted" if one.gate.accepted else "rejected")
    yield f"             by the thresholds {one.gate.thresholds_digest} of {one.gate.base}"
    for check in one.gate.checks:
        yield f"             {MARKS[check.passed]} {check.name}: {escape(check.detail)}"
    for barred in one.quarantined:
        since = f"since {barred.version} was aborted in {barred.environment} ({barred.cause})"
        yield f"  [red]barred[/]     {barred.what} {barred.digest} {since}"
    for noted in one.events:
        yield f"  {noted.event.at[:16]} {noted.event.environment}: {escape(history.sentence(noted))}"


def _signature(one: Chain, link: Link) -> Iterator[str]:
    if one.signature is None:
        yield f"  signature  {MARKS[link.holds]} {escape(link.why)}"
        return
    known = one.signature
    yield f"  signature  {MARKS[link.holds]} {escape(known.signer.signer)}  [dim]{escape(link.why)}[/]"
    yield f"             [dim]{escape(known.signer.invocation)}, entry {known.log_index} of the log, {known.at}[/]"


def _link(one: Chain, link: Link, value: str, about: str = "") -> str:
    also = one.shared.get(ALSO.get(link.name, link.name), ())  # type: ignore[arg-type]
    known = ", ".join(filter(None, (link.why, about, f"also in {', '.join(also)}" if also else "")))
    return f"  {link.name:<10} {MARKS[link.holds]} {value}  [dim]{escape(known)}[/]"
