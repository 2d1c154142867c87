"""Releases: what was proposed where, what became of it, and which is the recorded stable. Pure decisions over records.

`releases/<version>.json` is append-only: an event is added, none is ever changed. `releases/stable.json` names, for
each environment, the release to go back to.
"""

from collections.abc import Iterable, Mapping

import msgspec

from slipway.errors import Rejected
from slipway.records import Bundle, GateDecision, Package, Release, ReleaseEvent, Stable

FIRST = "1.0.0"
PROPOSED, PROMOTED = "proposed", "promoted"


def parse(version: str) -> tuple[int, int, int]:
    """Read MAJOR.MINOR.PATCH.

    Raises:
        Rejected: it is not of that form.

    """
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isdecimal() and str(int(part)) == part for part in parts):
        raise Rejected(f"{version!r} is no version", "Write MAJOR.MINOR.PATCH, for example 1.4.0.")
    major, minor, patch = (int(part) for part in parts)
    return major, minor, patch


def newest(versions: Iterable[str]) -> str | None:
    """The highest version, by number."""
    return max(versions, key=parse, default=None)


def following(versions: Iterable[str]) -> str:
    """The version that the next model gets: a MINOR above the highest ever used; burnt ones are not used again."""
    highest = newest(versions)
    if highest is None:
        return FIRST
    major, minor, _ = parse(highest)
    return f"{major}.{minor + 1}.0"


def admit(package: Package, gate: GateDecision, existing: Mapping[str, Release], environment: str) -> None:
    """Decide whether a package may be released to an environment.

    Raises:
        Rejected: it did not pass the gate, its version is not above all others, or another release is in flight.

    """
    version = package.bundle.version
    if not gate.accepted or gate.model_digest != package.bundle.model_digest:
        raise Rejected(
            f"{version} did not pass the gate: the decision is about {gate.model_digest}"
            f" ({'accepted' if gate.accepted else 'rejected'}), the package holds {package.bundle.model_digest}",
            "Run `slipway gate` for the model that is packaged, then `slipway package` again.",
        )
    highest = newest(existing)
    if highest is not None and parse(version) <= parse(highest):
        raise Rejected(f"{version} is not above {highest}, which exists", "Run `slipway package` again for a new one.")
    if flying := in_flight(existing, environment):
        raise Rejected(f"{flying} is in flight in {environment}", "Wait until it is promoted or reverted.")


def in_flight(existing: Mapping[str, Release], environment: str) -> str | None:
    """The version that was proposed to an environment and has no outcome yet, or None."""
    for version, release in existing.items():
        last = [event.kind for event in release.events if event.environment == environment][-1:]
        if last == [PROPOSED]:
            return version
    return None


def propose(package: Package, gate: GateDecision, environment: str, at: str) -> Release:
    """The record of a release that is about to be seen by a cluster; `at` is ISO 8601 UTC."""
    event = ReleaseEvent(kind=PROPOSED, environment=environment, at=at, cause=None)
    return Release(package=package, gate=gate, events=(event,))


def promote(release: Release, stable: Stable, environment: str, at: str, cause: str) -> tuple[Release, Stable]:
    """Record that a release became the stable of an environment.

    Raises:
        Rejected: it was never proposed there.

    """
    version = release.package.bundle.version
    kinds = [event.kind for event in release.events if event.environment == environment]
    if not kinds:
        raise Rejected(f"{version} was never proposed to {environment}", "Release it there first: `slipway release`.")
    event = ReleaseEvent(kind=PROMOTED, environment=environment, at=at, cause=cause)
    promoted = msgspec.structs.replace(release, events=(*release.events, event))
    return promoted, Stable(environments=stable.environments | {environment: version})


def trailers(bundle: Bundle, image: str, environment: str) -> str:
    """The lines under a release commit that machines read (`git log --format=%(trailers)`)."""
    facts = {
        "Slipway-Release": bundle.version,
        "Slipway-Environment": environment,
        "Slipway-Image": image,
        "Slipway-Model": bundle.model_digest,
        "Slipway-Recipe": bundle.recipe_digest,
        "Slipway-Data": bundle.data_digest,
        "Slipway-Source": bundle.source_commit,
    }
    return "\n".join(f"{key}: {value}" for key, value in facts.items())
