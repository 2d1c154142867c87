"""What a finished demo is, asked of Git, MLflow and the ledger; nothing is remembered from the steps."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Table, func, select

from slipway import features, quarantine, records
from slipway.adapters import files, flights
from slipway.adapters.git import Repository
from slipway.adapters.ledger import Ledger, schema
from slipway.commands import past
from slipway.commands.demo_place import AFTER, POD, Place
from slipway.demo import Asked, DemoResult, Refusal, Scene
from slipway.errors import Rejected
from slipway.history import Noted
from slipway.manifests import tree
from slipway.releases import PRODUCTION, PROPOSED

FLIGHTS = 10
ENDS = ("promoted", "reverted", "superseded", "restored")
AGAIN = "Run `make demo` again."
RETRAIN = "refs/heads/retrain"


def collect(place: Place) -> DemoResult:
    """Compute the result.

    Raises:
        Rejected: Git, the registry and the ledger do not tell one story.

    """
    from slipway.adapters import mlflow

    repository = Repository(place.clone)
    head = past.tip(repository, fetched=True)
    then = past.read(repository, head)
    version = then.last.stable.environments.get(PRODUCTION)
    if version is None:
        raise Rejected(f"{PRODUCTION} has no recorded stable on main", AGAIN)
    stable = then.last.releases[version].package
    champion = mlflow.champion(place.tracking_uri)
    if champion is None:
        raise Rejected("no model has the alias `champion`", AGAIN)
    _agree("the champion's model", champion.model_digest, stable.bundle.model_digest)
    rendered = tree.image_of(repository.texts(head, f"k8s/rendered/{PRODUCTION}", ".yaml"))
    _agree("the image in the manifests", rendered.partition("@")[2], stable.image_digest)
    ledger = Ledger(place.ledger, read_only=True)
    try:
        return DemoResult(
            version=version,
            git_head=head,
            champion_version=champion.version,
            champion_digest=champion.model_digest,
            scenes=tuple(_scenes(then, place.tracking_uri, ledger)),
            refused=_refused(repository, then),
            predictions=tuple(asked(place.clone, ledger)),
        )
    finally:
        ledger.close()


def _agree(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Rejected(f"{what} is {found}, the recorded stable says {expected}", AGAIN)


def _scenes(then: past.Past, tracking_uri: str, ledger: Ledger) -> Iterable[Scene]:
    """Each outcome in production, in the order in which commits recorded them."""
    from slipway.adapters import mlflow

    here = [one for one in then.events if one.event.environment == PRODUCTION]
    before: str | None = None  # the stable that it is an outcome against
    for number, one in enumerate((one for one in here if one.event.kind in ENDS), 1):
        release, event = then.last.releases[one.version], one.event
        bundle, told = release.package.bundle, event.evidence
        counted, seconds = (told.requests, told.seconds) if told else _went_over(ledger, one, before, here)
        version = mlflow.holding(tracking_uri, bundle.model_digest)
        if version is None:
            raise Rejected(f"no registered version holds the model of {one.version}", AGAIN)
        yield Scene(
            number=number,
            release=one.version,
            verdict=event.kind,
            cause=event.cause,
            blame=told.blame if told else None,
            requests=counted,
            seconds=seconds,
            git_head=one.commit,
            detail=told.detail if told else event.why,
            source_commit=bundle.source_commit,
            data_digest=bundle.data_digest,
            model_digest=bundle.model_digest,
            image=release.package.image_digest,
            registered=version.version,
            predictions=_count(ledger, schema.predictions, bundle.version),
            truths=_count(ledger, schema.outcomes, bundle.version),
        )
        if event.kind in ("promoted", "restored"):
            before = one.version


def _went_over(ledger: Ledger, one: Noted, before: str | None, here: list[Noted]) -> tuple[dict[str, float], float]:
    """Count what a release that nobody judged has answered since it was recorded, beside the one before it.

    The seconds are those in which both answered.
    """
    since = datetime.fromisoformat(one.event.at).timestamp()
    following = (other.event.at for other in here if other.number > one.number and other.event.kind == PROPOSED)
    until = min((datetime.fromisoformat(at).timestamp() for at in following), default=float("inf"))
    c = schema.predictions.c
    asked = select(c.release, func.count(c.call.distinct()), func.min(c.at), func.max(c.at)).where(
        c.environment == PRODUCTION, c.pod != AFTER, c.at >= since, c.at < until
    )
    with ledger.transaction() as connection:
        found = {row[0]: tuple(row)[1:] for row in connection.execute(asked.group_by(c.release))}
    arms = {"stable": found.get(before or ""), "canary": found.get(one.version)}
    both = [facts for facts in arms.values() if facts]
    overlap = min(facts[2] for facts in both) - max(facts[1] for facts in both) if len(both) > 1 else 0.0
    seconds = round(max(0.0, overlap), records.DIGITS)  # as it is written, and compared with what was written
    return {arm: float(facts[0]) if facts else 0.0 for arm, facts in arms.items()}, seconds


def _count(ledger: Ledger, table: Table, release: str) -> int:
    c = table.c
    asked = (
        select(func.count()).select_from(table).where(c.environment == PRODUCTION, c.pod != AFTER, c.release == release)
    )
    with ledger.transaction() as connection:
        return int(connection.execute(asked).scalar_one())


def _refused(repository: Repository, then: past.Past) -> Refusal | None:
    """What a branch was to release again, if its recipe is barred."""
    head = repository.commit_of(RETRAIN)
    if head is None:
        return None
    digest = past.recipe_of(repository, head)
    barred = quarantine.active(then.last.quarantine).get(digest)
    data = files.parse_yaml(repository.show(head, "data.dvc") or "", f"data.dvc of {head}")["outs"][0]["md5"]
    if barred is None:
        raise Rejected(f"the recipe {digest} of the branch retrain is not in the quarantine", AGAIN)
    return Refusal(git_head=head, recipe_digest=digest, data_digest=f"md5:{data}", release=barred.version)


def rows(clone: Path) -> list[dict[str, Any]]:
    """Ten flights of the month that follows the data, spread evenly over it."""
    folder = clone / "replay"
    month = flights.read_month(folder, flights.months(folder)[0])
    arrived = month.filter(month["arr_delay"].is_not_null())
    return arrived.gather_every(arrived.height // FLIGHTS).head(FLIGHTS).to_dicts()


def body(row: dict[str, Any]) -> dict[str, Any]:
    """A flight as it is sent."""
    return {name: _plain(row[name]) for name in features.READ if row[name] is not None}


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str) else str(value)


def asked(clone: Path, ledger: Ledger) -> list[Asked]:
    """The ten flights as the ledger has them: what the first release said of each, and what was true."""
    p, o = schema.predictions.c, schema.outcomes.c
    known = select(p.id, p.features, p.score, p.decision, o.truth).join_from(
        schema.predictions, schema.outcomes, p.id == o.id
    )
    with ledger.transaction() as connection:
        found = {
            msgspec.json.encode(msgspec.json.decode(row.features), order="sorted"): row
            for row in connection.execute(known.where(p.pod == POD))
        }
    told = [(row, found.get(msgspec.json.encode(body(row), order="sorted"))) for row in rows(clone)]
    return [
        Asked(
            id=kept.id,
            date=str(row["date"]),
            sched_dep_time=row["sched_dep_time"],
            flight=f"{row['carrier']} {row['flight']}",
            origin=row["origin"],
            dest=row["dest"],
            probability=round(kept.score, records.DIGITS),
            called_late=kept.decision,
            arr_delay=row["arr_delay"],
            truth=kept.truth == 1,
        )
        for row, kept in told
        if kept is not None
    ]
