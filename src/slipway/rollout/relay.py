"""What a rollout's state asks to be written to Git. Pure: what is seen, and what main says, in; an action out.

The same answer at every look, until main shows the outcome: so nothing is done twice, and nothing is forgotten.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from slipway import releases
from slipway.changes import State
from slipway.records import Cause, Evidence, Release
from slipway.releases import PROPOSED, kinds
from slipway.rollout.records import Seen

Verb = Literal["promote", "revert", "carry", "report"]
FIRST = "first release: nothing to compare with"
STUCK = ("ProgressDeadlineExceeded", "InvalidSpec")  # in the controller's words; no abort of its own follows
LONGEST_TURN = 900.0  # seconds from one turn to the next: a verb and a fetch together never take as long
PATIENCE = 600.0  # seconds in which Argo CD, or a person, usually puts it right


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Environment(_Frozen, frozen=True, kw_only=True):
    """What the rendered manifests of an environment say."""

    namespace: str
    rollout: str
    image: str  # digest
    following: str | None  # where what is promoted here goes next: `slipway.dev/next` on the Rollout


class Git(_Frozen, frozen=True, kw_only=True):
    """What main says at a commit."""

    commit: str
    state: State
    environments: Mapping[str, Environment]  # those that run something


class Action(_Frozen, frozen=True, kw_only=True):
    """One thing to do: a verb with what it is called with, or a sentence for people."""

    verb: Verb
    environment: str
    version: str | None  # None: of no release
    image: str
    cause: Cause | None = None  # of promote and revert
    why: str = ""
    evidence: Evidence | None = None
    after: float = 0.0  # a report: it is worth a sentence once it has lasted for so many seconds

    @property
    def key(self) -> str:
        """What makes it this one: the same thing seen twice is done once."""
        return " ".join((self.verb, self.environment, self.image, *([self.why] if self.verb == "report" else [])))


def due(seen: Seen, environment: str, git: Git) -> Action | None:
    """Say what is to be done about a rollout of an environment of `git`."""
    release = _running(seen.image, environment, git.state)
    version = release.package.bundle.version if release else None
    here = Action(verb="report", environment=environment, version=version, image=seen.image)
    if release is None:
        return _told(here, "it runs an image that was never released there", after=PATIENCE)
    if seen.phase == "aborted":
        return _aborted(here, seen, release)
    if seen.image != git.environments[environment].image:
        return _told(here, "it runs another image than Git asks for", after=PATIENCE)
    if kinds(release, environment)[-1:] == [PROPOSED]:
        return _in_flight(here, seen, first=environment not in git.state.stable.environments)
    following = git.environments[environment].following
    if seen.phase == "healthy" and following and _carriable(release, environment, following, git.state):
        return replace(here, verb="carry", environment=following, why=f"promoted in {environment}")
    return None


def _aborted(here: Action, seen: Seen, release: Release) -> Action | None:
    if _open(release, here.environment):
        return replace(here, verb="revert", cause=seen.cause or "error", why=seen.detail)  # `error` bars nothing
    if "reverted" in kinds(release, here.environment):
        return None
    return _told(here, "it was aborted, and Git has it as promoted: a person decides")


def _in_flight(here: Action, seen: Seen, *, first: bool) -> Action | None:
    if seen.rollback:
        return _told(here, "it says that a person goes back to a release that was never promoted there")
    if seen.phase == "paused":
        return _told(here, "it is paused without a verdict: promote it, or abort it")
    if seen.phase == "progressing" and seen.detail.startswith(STUCK):  # a first release is never aborted by itself
        return _told(here, "it does not come up, and nothing ends it: look at its pods", after=PATIENCE)
    if seen.phase != "healthy":
        return None
    if first:
        return replace(here, verb="promote", cause="person", why=FIRST)
    return replace(here, verb="promote", cause="verdict" if seen.cause == "verdict" else "person", why=seen.detail)


def _told(here: Action, why: str, after: float = 0.0) -> Action:
    return replace(here, why=why, after=after)


def stands(action: Action, git: Git) -> bool:
    """Whether main does not show the outcome yet, and nothing there has made it pointless."""
    release = git.state.releases.get(action.version or "")
    if release is None:
        return False
    last = kinds(release, action.environment)[-1:]
    if action.verb == "promote":
        return last == [PROPOSED]
    if action.verb == "revert":
        return _open(release, action.environment)
    origins = [name for name, one in git.environments.items() if one.following == action.environment]
    return any(_carriable(release, origin, action.environment, git.state) for origin in origins)


def withdrawn(action: Action, seen: Seen) -> bool:
    """Whether a person has asked again for what was to be taken back (`kubectl argo rollouts retry`)."""
    return action.verb == "revert" and seen.image == action.image and seen.phase != "aborted"


def _running(image: str, environment: str, state: State) -> Release | None:
    mine = (one for one in state.releases.values() if one.package.image_digest == image and kinds(one, environment))
    return next(mine, None)


def _open(release: Release, environment: str) -> bool:
    """Whether its outcome is still to be written: in flight, or out of the way without one."""
    return kinds(release, environment)[-1:] in ([PROPOSED], ["superseded"])


def _carriable(release: Release, origin: str, following: str, state: State) -> bool:
    version = release.package.bundle.version
    there = [other for other, one in state.releases.items() if kinds(one, following)]
    above = all(releases.parse(version) > releases.parse(other) for other in there)
    promoted = state.stable.environments.get(origin) == version and kinds(release, origin)[-1:] == ["promoted"]
    return promoted and above and releases.in_flight(state.releases, following) is None
