"""Releases: what was proposed where, what became of it, and which is the recorded stable. Pure decisions over records.

`releases/<version>.json` is append-only: an event is added, none is ever changed. `releases/stable.json` names, for
each environment, the release to go back to.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from slipway.errors import Rejected
from slipway.records import Bundle, GateDecision, Package, Release, ReleaseEvent, Stable

FIRST = "1.0.0"
_PART = "(0|[1-9][0-9]{0,8})"
_VERSION = re.compile(rf"{_PART}\.{_PART}\.{_PART}")
PROPOSED: Literal["proposed"] = "proposed"
STABLE_BY = ("promoted", "restored")  # events that make a release the recorded stable
PRODUCTION = "production"  # whose stable is the champion


def parse(version: str) -> tuple[int, int, int]:
    """Read MAJOR.MINOR.PATCH.

    Raises:
        Rejected: it is not of that form.

    """
    found = _VERSION.fullmatch(version)
    if found is None:
        raise Rejected(f"{version!r} is no version", "Write MAJOR.MINOR.PATCH, for example 1.4.0.")
    return int(found[1]), int(found[2]), int(found[3])


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


def champion(existing: Mapping[str, Release], stable: Stable) -> str | None:
    """The digest of the model that Git says is the champion: that of production's recorded stable."""
    version = stable.environments.get(PRODUCTION)
    return existing[version].package.bundle.model_digest if version and version in existing else None


def propose(
    package: Package,
    gate: GateDecision,
    existing: Mapping[str, Release],
    stable: Stable,
    *,
    environment: str,
    at: str,
) -> Release:
    """Decide whether a package may be released to an environment, and return its record; `at` is ISO 8601 UTC.

    A version that another environment has seen keeps its record and its bytes: only the event is new.

    Raises:
        Rejected: it did not pass the gate against today's champion, its version is not above all others, or another
            release is in flight.

    """
    _admit(package, gate, champion(existing, stable))
    if flying := in_flight(existing, environment):
        raise Rejected(
            f"{flying} is in flight in {environment}", "Wait until it is promoted or reverted, or add --supersede."
        )
    version = package.bundle.version
    here = [other for other, release in existing.items() if kinds(release, environment)]
    _above(version, newest(here), f"has been released to {environment}")
    event = ReleaseEvent(kind=PROPOSED, environment=environment, at=at, cause=None)
    known = existing.get(version)
    if known is None:
        _above(version, newest(existing), "exists")
        return Release(package=package, gate=gate, events=(event,))
    if known.package != package:
        raise Rejected(
            f"{version} exists, with other bytes: image {known.package.image_digest}",
            "Release that package, or run `slipway package` for a new version.",
        )
    return msgspec.structs.replace(known, events=(*known.events, event))


def _admit(package: Package, gate: GateDecision, reigning: str | None) -> None:
    version, again = package.bundle.version, "Run `slipway gate` for the model that is packaged."
    if not gate.accepted:
        raise Rejected(f"{version} did not pass the gate", again)
    if gate.model_digest != package.bundle.model_digest:
        raise Rejected(
            f"the gate decided about {gate.model_digest}, {version} holds {package.bundle.model_digest}", again
        )
    if gate.champion != reigning:
        raise Rejected(
            f"the gate held {version} against {gate.champion or 'no champion'};"
            f" Git says that the champion is {reigning or 'none'}",
            again,
        )


def _above(version: str, highest: str | None, why: str) -> None:
    if highest is not None and parse(version) <= parse(highest):
        raise Rejected(f"{version} is not above {highest}, which {why}", "Run `slipway package` for a new version.")


def in_flight(existing: Mapping[str, Release], environment: str) -> str | None:
    """The version that was proposed to an environment and has no outcome yet, or None."""
    flying = (version for version, release in existing.items() if kinds(release, environment)[-1:] == [PROPOSED])
    return next(flying, None)


def running(existing: Mapping[str, Release], stable: Stable, environment: str) -> dict[str, str]:
    """What an environment may run: its recorded stable and what is in flight there, as {image digest: bento digest}."""
    versions = (stable.environments.get(environment), in_flight(existing, environment))
    packages = (existing[version].package for version in versions if version is not None and version in existing)
    return {package.image_digest: package.bento_digest for package in packages}


def beside(existing: Mapping[str, Release], stable: Stable, environment: str, version: str) -> str | None:
    """What serves while a version comes: the recorded stable; after a rollback to it, the release that was left."""
    recorded = stable.environments.get(environment)
    if recorded != version or version not in existing or kinds(existing[version], environment)[-1:] != ["restored"]:
        return recorded
    left = {
        other: max(event.at for event in one.events if event.environment == environment)
        for other, one in existing.items()
        if kinds(one, environment)[-1:] == ["rolled-back"]
    }
    return max(left, key=lambda other: left[other], default=recorded)


def kinds(release: Release, environment: str) -> list[str]:
    """What happened to a release in an environment, in order."""
    return [event.kind for event in release.events if event.environment == environment]


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
