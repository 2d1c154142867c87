"""What must not be released again: digests barred by an abort, until a person lifts them. Pure decisions over records.

`releases/quarantine.json` is append-only: the last event of a digest says whether it is barred.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from slipway.errors import Rejected
from slipway.records import Bundle, Cause, Package, Part, Quarantine, QuarantineEvent, Release

BARRING: tuple[Cause, ...] = ("verdict", "unavailable")  # a store that failed, or a person, says nothing of a model
SHORT = len("sha256:") + 12  # of a digest: enough to name it
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")


def digests(package: Package) -> dict[Part, str]:
    """The digests by which a package may be barred, by what they are of."""
    return {"image": package.image_digest, "bento": package.bento_digest, **sources(package.bundle)}


def sources(bundle: Bundle) -> dict[Part, str]:
    """Those that were known before it was packaged: its model's, and its recipe's."""
    return {"model": bundle.model_digest, "recipe": bundle.recipe_digest}


def active(quarantine: Quarantine) -> dict[str, QuarantineEvent]:
    """What is barred now, by digest, in the order of its quarantine."""
    last = {event.digest: event for event in quarantine.events}
    return {digest: event for digest, event in last.items() if event.kind == "quarantined"}


def bar(
    quarantine: Quarantine, release: Release, *, sparing: Iterable[Release], environment: str, at: str, cause: Cause
) -> Quarantine:
    """Bar what an aborted release was made of, and what made it; a cause that says nothing of it bars nothing.

    Spared are digests of the recorded stables given, the environment's and production's: a twin must not bar the
    champion, nor bad data the champion's recipe.
    """
    if cause not in BARRING:
        return quarantine
    spared = {digest for stable in sparing for digest in digests(stable.package).values()}
    added = tuple(
        QuarantineEvent(
            kind="quarantined",
            what=what,
            digest=digest,
            version=release.package.bundle.version,
            environment=environment,
            at=at,
            cause=cause,
        )
        for what, digest in digests(release.package).items()
        if digest not in spared | active(quarantine).keys()
    )
    return msgspec.structs.replace(quarantine, events=(*quarantine.events, *added)) if added else quarantine


def lift(quarantine: Quarantine, digest: str, *, at: str, why: str) -> Quarantine:
    """Let a digest in again, given whole or by its first 12 hexadecimal digits or more.

    Raises:
        Rejected: it is not barred, or several begin like that.

    """
    barred = _find(quarantine, digest)
    lifted = msgspec.structs.replace(barred, kind="lifted", at=at, cause="person", why=why)
    return msgspec.structs.replace(quarantine, events=(*quarantine.events, lifted))


def reasons(quarantine: Quarantine, asked: Mapping[Part, str], existing: Mapping[str, Release]) -> tuple[str, ...]:
    """Say which of the digests asked for (`digests`, `sources`) are barred, since when and by what evidence."""
    barred = active(quarantine)
    return tuple(_sentence(barred[digest], existing) for digest in asked.values() if digest in barred)


def detail(event: QuarantineEvent, existing: Mapping[str, Release]) -> str | None:
    """The evidence's sentence about the abort that barred a digest, where the release's record has one."""
    release = existing.get(event.version)
    told = (
        one.evidence.detail
        for one in (release.events if release else ())
        if (one.kind, one.environment) == ("reverted", event.environment) and one.evidence
    )
    return next(told, None)


def _sentence(event: QuarantineEvent, existing: Mapping[str, Release]) -> str:
    evidence = detail(event, existing)
    cause = f"{event.cause}: {evidence}" if evidence else event.cause
    return (
        f"{event.what} {event.digest[:SHORT]}… is quarantined since {event.version} was aborted"
        f" in {event.environment} ({cause})"
    )


def _find(quarantine: Quarantine, digest: str) -> QuarantineEvent:
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise Rejected(
            f"{digest!r} is no digest", "Give it as sha256:<64 hex digits>, or at least the first 12 of them."
        )
    barred = active(quarantine)
    match [event for whole, event in barred.items() if whole.startswith(f"sha256:{found[1]}")]:
        case [event]:
            return event
        case []:
            raise Rejected(
                f"{digest} is not quarantined{_instead(quarantine, found[1])}", "See `slipway quarantine list`."
            )
        case several:
            raise Rejected(f"{digest} is the beginning of {_listed(several)}", "Give more of its digits.")


def _instead(quarantine: Quarantine, digits: str) -> str:
    """What a person may have meant: the same, lifted already, or a digest that begins like it."""
    lifted = [event for event in quarantine.events if event.digest.startswith(f"sha256:{digits}")]
    if lifted:
        return f": it was lifted at {lifted[-1].at} ({lifted[-1].why})"
    near = [event for whole, event in active(quarantine).items() if whole.startswith(f"sha256:{digits[:4]}")]
    return f"; near it: {_listed(near)}" if near else ""


def _listed(events: Iterable[QuarantineEvent]) -> str:
    return ", ".join(f"{event.what} {event.digest}" for event in events)
