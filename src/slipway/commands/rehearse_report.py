"""report.html of a rehearsal: how it ended and why, for whoever opens it later, in one file."""

from slipway.adapters import files, page
from slipway.canary import explaining
from slipway.canary.records import ARMS, Trace
from slipway.canary.units import duration
from slipway.commands import rehearse_folder
from slipway.commands.rehearse_play import Play
from slipway.rollout import telling
from slipway.rollout.records import Rehearsed

REPORT = "report.html"
TONES = {"promoted": "harmless", "aborted": "worse", "inconclusive": "open"}
WORDS = {"promoted": "PROMOTED", "aborted": "ABORTED", "inconclusive": "CANNOT TELL"}


def write(play: Play, result: Rehearsed) -> None:
    """Write the report to the folder of a rehearsal that has ended."""
    path = play.folder / rehearse_folder.TRACE
    trace = files.read_record(Trace, path) if path.exists() else None
    files.write_text(play.folder / REPORT, html(play, result, trace))


def html(play: Play, result: Rehearsed, trace: Trace | None) -> str:
    """Write the report; without a trace nothing was judged."""
    from slipway.adapters import chart

    picture = None if trace is None else explaining.picture(trace)
    blame = result.evidence.blame if result.evidence and result.outcome == "aborted" else None
    about = f": {blame}" if blame and result.cause == "verdict" else ""
    because = f", cause {result.cause}{about}" if result.cause else ""
    said = result.evidence.detail if result.evidence else ""
    sent = sum(seen.requests for seen in result.traffic.values())
    sides = {"canary": play.canary, "stable": play.stable}
    return page.render(
        page.Facts(
            title=f"{result.environment}: {result.canary} beside {result.stable or 'nothing'}, {sent:,} requests"
            f" in {duration(result.seconds)}",
            headline=f"{WORDS[result.outcome]}{because}",
            tone=TONES[result.outcome],
            sentences=[text for text in (said, result.message) if text],
            sides=[(arm, side.version, side.image) for arm, side in sides.items() if side is not None],
            arms=[(arm, *telling.arm(result.traffic[arm])) for arm in ARMS],
            drawings=None if picture is None else (chart.svg(picture), chart.svg(picture, narrow=True)),
            metrics=[_row(row) for row in picture.rows] if picture else [],
            held=[
                (span.label, duration(span.start), duration(span.end), span.detail)
                for span in (picture.held if picture else ())
            ],
            settings=_settings(play, result),
        )
    )


def _row(row: explaining.Row) -> tuple[str, ...]:
    return (row.name, row.stable, row.canary, row.difference, row.margin, row.harmless, row.worse)


def _settings(play: Play, result: Rehearsed) -> list[tuple[str, str]]:
    steps = play.environment.rollout.spec.strategy.canary.steps
    weights = [f"{step.set_weight}%" for step in steps if step.set_weight is not None]
    given = [f"{name}={value}" for name, value in sorted(play.overrides.items())]
    return [
        ("seed", str(result.seed)),
        ("speed", f"{play.speed:g}: times of manifests and judge are divided by it, evidence is not"),
        ("rate", "as fast as it goes" if play.rate is None else f"{play.rate:g} requests a second"),
        ("rows", f"{len(play.rows):,} flights, in an order drawn by the seed"),
        ("clients", "stay with the arm that they have met" if play.sticky else "may meet both arms"),
        ("truth", f"told {play.truth_delay:g} s after the answer"),
        ("weights", ", ".join(weights)),
        ("analysis", ", ".join(given) or "as in the manifests"),
    ]
