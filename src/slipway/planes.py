"""Do the three planes agree: Git, the registry of models, and the cluster. Pure decisions over what was seen of each.

Git is the authority: each disagreement is told with what brings the other plane, or a hand's change in Git, back to it.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from slipway import history, quarantine, releases
from slipway.history import History, Revision
from slipway.records import QuarantineEvent, Release
from slipway.rollout.records import Seen

MENDS = "it changes nothing in Git, and mends the registry"


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Applied(_Frozen, frozen=True, kw_only=True):
    """What Git tells Argo CD to apply in an environment: k8s/rendered/<environment>."""

    namespace: str
    rollout: str
    image: str  # reference, with version and digest
    rollback: str | None  # digest that the Deployment says a person goes back to

    @property
    def digest(self) -> str:
        """The image's digest."""
        return self.image.rpartition("@")[2]


class Held(_Frozen, frozen=True, kw_only=True):
    """A version of the registry that carries an alias."""

    version: str
    model_digest: str
    releases: tuple[str, ...]  # that hold its model


class Registry(_Frozen, frozen=True, kw_only=True):
    """The aliases of the registry."""

    champion: Held | None
    challenger: Held | None


class Place(_Frozen, frozen=True, kw_only=True):
    """An environment on all planes."""

    stable: str | None  # the recorded stable
    in_flight: str | None
    applied: Applied | None  # None before the first release
    cluster: Seen | None  # None where nobody looked


class Disagreement(_Frozen, frozen=True, kw_only=True):
    """What does not agree, and what to do."""

    where: str  # git, registry, or an environment
    what: str
    remedy: str


class Status(_Frozen, frozen=True, kw_only=True):
    """What the planes say, side by side."""

    schema_version: int = 1
    commit: str  # of main, that all of Git's part is of
    environments: Mapping[str, Place]
    registry: Registry | None  # None where it could not be looked at
    quarantined: int  # digests
    disagreements: tuple[Disagreement, ...]
    remarks: tuple[str, ...]  # what was not looked at, and what is no disagreement but should be known


def compare(
    commit: str,
    revision: Revision,
    places: Mapping[str, Place],
    registry: Registry | None,
    *,
    told: History,
    altered: Sequence[str],
    unseen: Sequence[str],
) -> Status:
    """Hold the planes against each other; `revision` is the last that changed releases/, `commit` the tip of main.

    `altered` says where the history of releases/ is not append-only, `unseen` what could not be looked at, and why.
    """
    found = [
        Disagreement(where="git", what=sentence, remedy="Restore what was changed: `git log -p -- releases`.")
        for sentence in altered
    ]
    for environment, place in places.items():
        found += _recorded(environment, place, told)
        found += _applied(environment, place, revision.releases)
        found += _barred(environment, place, revision)
        found += _running(environment, place, revision.releases)
    if registry:
        found += _registered(revision, registry)
    return Status(
        commit=commit,
        environments=places,
        registry=registry,
        quarantined=len(quarantine.active(revision.quarantine)),
        disagreements=tuple(found),
        remarks=(*unseen, *_remarks(places, revision)),
    )


def _recorded(environment: str, place: Place, told: History) -> Iterator[Disagreement]:
    if (live := history.live(told, environment)) != place.stable:
        yield Disagreement(
            where=environment,
            what=f"releases/stable.json says {place.stable or 'none'}, the events say {live or 'none'}",
            remedy="`git log -p -- releases/stable.json` shows who changed it: revert that commit.",
        )


def _applied(environment: str, place: Place, known: Mapping[str, Release]) -> Iterator[Disagreement]:
    wanted, folder = place.in_flight or place.stable, f"k8s/rendered/{environment}"
    by_hand = f"`git log -p -- {folder}` shows who changed it: revert that commit."
    if place.applied is None or wanted is None:
        if place.applied or wanted:
            there = place.applied.image if place.applied else "no manifest"
            yield Disagreement(
                where=environment, what=f"{folder} holds {there}, releases/ says {wanted or 'none'}", remedy=by_hand
            )
        return
    image = f":{wanted}@{known[wanted].package.image_digest}"
    if not place.applied.image.endswith(image):
        state = "in flight" if place.in_flight else "the recorded stable"
        yield Disagreement(
            where=environment,
            what=f"{folder} holds {place.applied.image}, {state} is {wanted}, {known[wanted].package.image_digest}",
            remedy=by_hand,
        )
    if place.applied.rollback and (place.in_flight or place.applied.rollback != place.applied.digest):
        yield Disagreement(
            where=environment,
            what=f"{folder} says that a person goes back to {place.applied.rollback},"
            f" and {'a release is in flight' if place.in_flight else 'holds another image'}",
            remedy=by_hand,
        )


def _barred(environment: str, place: Place, revision: Revision) -> Iterator[Disagreement]:
    """What runs is quarantined: on its way here, or by this environment's own abort.

    A recipe is no reason: that of a release which superseded a bad one may be barred while it is judged on its own.
    """
    for version in filter(None, (place.in_flight, place.stable)):
        events = [event for event in _quarantined(revision, version) if event.what != "recipe"]
        if version == place.in_flight:
            image = revision.releases[version].package.image_digest
            remedy = f"`slipway revert --digest {image} -e {environment} --cause person`"
        else:
            events = [event for event in events if event.environment == environment]
            remedy = f"`slipway rollback --to VERSION --why TEXT -e {environment}`"
        if events:
            what = ", ".join(f"{event.what} {event.digest}" for event in events)
            remedy += ", or `slipway quarantine lift DIGEST --why TEXT`."
            yield Disagreement(where=environment, what=f"{version} is quarantined: {what}", remedy=remedy)


def _remarks(places: Mapping[str, Place], revision: Revision) -> Iterator[str]:
    """What a person should know of that is no disagreement: another environment, or another release, was aborted."""
    for environment, place in places.items():
        for version in filter(None, (place.in_flight, place.stable)):
            for event in _quarantined(revision, version):
                if event.what == "recipe" or (version == place.stable and event.environment != environment):
                    yield (
                        f"{version} in {environment} has a {event.what} that is quarantined since {event.version} was"
                        f" aborted in {event.environment}"
                    )


def _quarantined(revision: Revision, version: str) -> list[QuarantineEvent]:
    if version not in revision.releases:  # which is another disagreement
        return []
    active = quarantine.active(revision.quarantine)
    mine = quarantine.digests(revision.releases[version].package).values()
    return [active[digest] for digest in mine if digest in active]


def _registered(revision: Revision, registry: Registry) -> Iterator[Disagreement]:
    version = revision.stable.environments.get(releases.PRODUCTION)
    reigning = releases.champion(revision.releases, revision.stable)
    found = registry.champion.model_digest if registry.champion else None
    if found != reigning:
        yield Disagreement(
            where="registry",
            what=f"the champion is {found or 'none'}, production's recorded stable is"
            f" {f'{version} with {reigning}' if version else 'none'}",
            remedy=f"Repeat `slipway promote {version}`: {MENDS}."
            if version
            else "Take the alias `champion` away in MLflow: nothing was promoted.",
        )
    challenger = registry.challenger
    barred = quarantine.active(revision.quarantine)
    if challenger and challenger.model_digest in barred:
        event = barred[challenger.model_digest]
        image = revision.releases[event.version].package.image_digest
        yield Disagreement(
            where="registry",
            what=f"the challenger, version {challenger.version}, is quarantined since {event.version} was aborted",
            remedy=f"Repeat `slipway revert --digest {image} -e {event.environment} --cause {event.cause}`: {MENDS}.",
        )


def _running(environment: str, place: Place, known: Mapping[str, Release]) -> Iterator[Disagreement]:
    seen, applied = place.cluster, place.applied
    if seen is None or applied is None:
        return
    where = f"-n {seen.namespace}"
    if seen.image != applied.digest:
        runs = next((version for version, one in known.items() if one.package.image_digest == seen.image), "unknown")
        what, remedy = (
            f"the cluster asks for {seen.image} ({runs}), Git for {applied.digest}",
            f"Argo CD brings it there: see whether {seen.rollout}'s application is synced.",
        )
    elif place.in_flight and seen.phase == "healthy":
        what, remedy = (
            f"{place.in_flight} serves everything, and Git does not know it",
            "The relay records it. If it does not: `slipway promote"
            f" {place.in_flight} -e {environment} --cause {seen.cause or 'person'}`.",
        )
    elif place.in_flight and seen.phase == "aborted":
        what, remedy = (
            f"{place.in_flight} was aborted ({seen.detail}), and Git does not know it",
            "The relay records it. If it does not: `slipway revert --digest"
            f" {seen.image} -e {environment} --cause {seen.cause or 'person'}`.",
        )
    elif not place.in_flight and seen.phase == "progressing":
        what, remedy = f"{place.stable} does not serve everything yet", "It is on its way; look again."
    elif not place.in_flight and seen.phase in ("aborted", "paused"):
        what, remedy = (
            f"{place.stable} is recorded stable, and its rollout is {seen.phase} ({seen.detail})",
            f"`kubectl argo rollouts retry rollout {seen.rollout} {where}`.",
        )
    else:
        return
    yield Disagreement(where=environment, what=what, remedy=remedy)
