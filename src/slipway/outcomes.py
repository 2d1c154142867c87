"""What becomes of a release: promoted, reverted, superseded, rolled back. Pure decisions over records.

Each verb takes what main says and returns what the one commit of its outcome changes, or None where main says it
already: so a verb can be repeated, and decided anew whenever somebody else was faster.
"""

from collections.abc import Callable

import msgspec

from slipway import quarantine, releases
from slipway.changes import Change, Manifests, State
from slipway.errors import Rejected
from slipway.records import (
    Cause,
    EventKind,
    Evidence,
    GateDecision,
    Package,
    Release,
    ReleaseEvent,
    Stable,
)
from slipway.releases import kinds


def propose(
    state: State, package: Package, gate: GateDecision, *, environment: str, at: str, supersede: bool = False
) -> Change:
    """Decide whether a package may be released to an environment, in place of what is in flight if `supersede`.

    Raises:
        Rejected: as `releases.propose`; or a digest of it is quarantined.

    """
    version = package.bundle.version
    if barred := quarantine.reasons(state.quarantine, quarantine.digests(package), state.releases):
        raise Rejected(
            f"{version} is not released: {'; '.join(barred)}",
            'Change what was at fault; or let it in: slipway quarantine lift DIGEST --why "..."',
        )
    others = _superseded(state, environment, at) if supersede else ()
    known = {**state.releases, **{each.package.bundle.version: each for each in others}}
    release = releases.propose(package, gate, known, state.stable, environment=environment, at=at)
    return Change(
        release=release,
        others=others,
        stable=state.stable,
        quarantine=state.quarantine,
        manifests=Manifests(release, proposed=True),
        subject=f"Release {version} to {environment}",
        cause=None,
    )


def carry(
    state: State, version: str, *, origin: str, environment: str, at: str, supersede: bool = False
) -> Change | None:
    """Release what was promoted in the environment `origin` to the next one, by the decision that let it in.

    Raises:
        Rejected: it was not promoted there or left it, or may not be released.

    """
    release = _release(state, version)
    here = kinds(release, environment)
    if here[-1:] == [releases.PROPOSED] or (here and state.stable.environments.get(environment) == version):
        return None
    if not _stood(release, origin) or kinds(release, origin)[-1] not in releases.STABLE_BY:
        raise Rejected(
            f"{version} is not promoted in {origin}", f"`slipway history` says what became of it in {origin}."
        )
    return propose(state, release.package, release.gate, environment=environment, at=at, supersede=supersede)


def promote(
    state: State,
    version: str,
    *,
    environment: str,
    at: str,
    cause: Cause,
    commit: Callable[[], str],
    evidence: Evidence | None = None,
) -> Change | None:
    """Record the release in flight as the stable of an environment; `commit` names the one that released it there.

    Raises:
        Rejected: it is not in flight there. An older release comes back by a rollback, never by a promotion.

    """
    release = _release(state, version)
    if state.stable.environments.get(environment) == version:
        return None
    if kinds(release, environment)[-1:] != [releases.PROPOSED]:
        remedy = f"slipway rollback --to {version}" if _stood(release, environment) else "slipway release"
        raise Rejected(
            f"{version} is not in flight in {environment}{_last(release, environment)}",
            f"Only what is in flight is promoted. Its way there: `{remedy}`.",
        )
    return Change(
        release=_with(
            release, "promoted", environment=environment, at=at, cause=cause, commit=commit(), evidence=evidence
        ),
        others=(),
        stable=_named(state.stable, environment, version),
        quarantine=state.quarantine,
        manifests=None,
        subject=f"Promote {version} in {environment}",
        cause=cause,
    )


def revert(
    state: State,
    digest: str,
    *,
    environment: str,
    at: str,
    cause: Cause,
    evidence: Evidence | None = None,
    why: str | None = None,
) -> Change | None:
    """Take back the release of an image: to the recorded stable, unless a newer release has taken its place.

    Raises:
        Rejected: no release there has that image, or it was promoted there: only a person takes that back.

    """
    release = with_image(state, digest, environment)
    version, so_far = release.package.bundle.version, kinds(release, environment)
    if "reverted" in so_far:
        return None
    if _stood(release, environment):
        raise Rejected(
            f"{version} was promoted in {environment}: it is never reverted",
            f"A person goes back to an earlier one: slipway rollback -e {environment} --to VERSION --why '...'",
        )
    stable = state.stable_of(environment)
    flying = so_far[-1] == releases.PROPOSED
    spared = filter(None, (stable, state.stable_of(releases.PRODUCTION)))  # what staging aborts may be the champion's
    return Change(
        release=_with(release, "reverted", environment=environment, at=at, cause=cause, evidence=evidence, why=why),
        others=(),
        stable=state.stable,
        quarantine=quarantine.bar(
            state.quarantine, release, sparing=spared, environment=environment, at=at, cause=cause
        ),
        manifests=Manifests(stable) if flying else None,
        subject=f"Revert {version} in {environment}",
        cause=cause,
    )


def rollback(state: State, version: str, *, environment: str, at: str, why: str) -> Change | None:
    """Go back to an earlier promoted release because a person says so; what is in flight gives way.

    Raises:
        Rejected: it was never promoted there, is quarantined, or is the stable while another is in flight.

    """
    release, flying = _release(state, version), releases.in_flight(state.releases, environment)
    if not _stood(release, environment):
        raise Rejected(
            f"{version} was never promoted in {environment}", "Only a release that was stable there comes back."
        )
    left = state.stable_of(environment)
    if left == release:
        if flying is None:
            return None
        digest = state.releases[flying].package.image_digest
        raise Rejected(
            f"{version} is the stable of {environment} already; {flying} is in flight",
            f"Take that back: slipway revert -e {environment} --cause person --digest {digest}",
        )
    if barred := quarantine.reasons(state.quarantine, quarantine.digests(release.package), state.releases):
        raise Rejected(
            f"{version} does not come back: {'; '.join(barred)}",
            'Take another one; or let it in: slipway quarantine lift DIGEST --why "..."',
        )
    others = _superseded(state, environment, at)
    if left is not None:
        others += (_with(left, "rolled-back", environment=environment, at=at, cause="person", why=why),)
    return Change(
        release=_with(release, "restored", environment=environment, at=at, cause="person", why=why),
        others=others,
        stable=_named(state.stable, environment, version),
        quarantine=state.quarantine,
        manifests=Manifests(release, rollback=True),
        subject=f"Roll back to {version} in {environment}",
        cause="person",
    )


def with_image(state: State, digest: str, environment: str) -> Release:
    """The release to an environment that runs the image of a digest.

    Raises:
        Rejected: there is none.

    """
    for release in state.releases.values():
        if release.package.image_digest == digest and kinds(release, environment):
            return release
    raise Rejected(f"no release to {environment} runs the image {digest}", "`slipway history` names those that do.")


def release_commit(release: Release, environment: str) -> str | None:
    """The commit that released what was promoted in an environment, where its record names it."""
    named = (one.commit for one in release.events if (one.kind, one.environment) == ("promoted", environment))
    return next(named, None)


def reverted(release: Release, environment: str) -> ReleaseEvent:
    """How a release was taken back in an environment."""
    return next(one for one in release.events if (one.kind, one.environment) == ("reverted", environment))


def tags(release: Release, environment: str) -> dict[str, str]:
    """What the registry notes of a release that was taken back."""
    event = reverted(release, environment)
    return {"outcome": event.kind, "cause": str(event.cause), "environment": environment}


def _release(state: State, version: str) -> Release:
    if version not in state.releases:
        raise Rejected(f"there is no release {version}", "Known ones stand in releases/.")
    return state.releases[version]


def _stood(release: Release, environment: str) -> bool:
    return any(kind in releases.STABLE_BY for kind in kinds(release, environment))


def _last(release: Release, environment: str) -> str:
    return "".join(f": it was {kind} there" for kind in kinds(release, environment)[-1:])


def _superseded(state: State, environment: str, at: str) -> tuple[Release, ...]:
    flying = releases.in_flight(state.releases, environment)
    if flying is None:
        return ()
    return (_with(state.releases[flying], "superseded", environment=environment, at=at, cause="person"),)


def _named(stable: Stable, environment: str, version: str) -> Stable:
    return Stable(environments=stable.environments | {environment: version})


def _with(
    release: Release,
    kind: EventKind,
    *,
    environment: str,
    at: str,
    cause: Cause,
    commit: str | None = None,
    evidence: Evidence | None = None,
    why: str | None = None,
) -> Release:
    event = ReleaseEvent(
        kind=kind, environment=environment, at=at, cause=cause, commit=commit, why=why, evidence=evidence
    )
    return msgspec.structs.replace(release, events=(*release.events, event))
