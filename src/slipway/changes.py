"""What main says of releases, what one commit changes of it, and how that commit says so. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from slipway import records
from slipway.errors import Broken
from slipway.records import Cause, EventKind, Quarantine, Release, Stable

STABLE, QUARANTINE = "stable.json", "quarantine.json"
Paper = Release | Stable | Quarantine


@dataclass(frozen=True)
class State:
    """What main says: every release, the recorded stable of each environment, and what is barred."""

    releases: Mapping[str, Release]
    stable: Stable
    quarantine: Quarantine

    def stable_of(self, environment: str) -> Release | None:
        """The release that is recorded as the stable of an environment.

        Raises:
            Broken: it has no record.

        """
        version = self.stable.environments.get(environment)
        if version is not None and version not in self.releases:
            raise Broken(
                f"releases/{STABLE} names {version} for {environment}, and releases/ has no such release",
                "Restore what was changed: `git log -p -- releases`.",
            )
        return None if version is None else self.releases[version]


@dataclass(frozen=True)
class Manifests:
    """Whose manifests an environment is given; without a release it is left with none."""

    release: Release | None
    proposed: bool = False  # by `release`: those that reviewers saw, else those that this release came with
    rollback: bool = False  # a person goes back: the judge lets it pass


@dataclass(frozen=True)
class Change:
    """What one commit changes. `manifests` None leaves those alone."""

    release: Release  # that it is about
    others: tuple[Release, ...]
    stable: Stable
    quarantine: Quarantine
    manifests: Manifests | None
    subject: str
    cause: Cause | None

    @property
    def releases(self) -> tuple[Release, ...]:
        """The records that it changes."""
        return (self.release, *self.others)


def paper(name: str, text: str, origin: str) -> Paper:
    """Read a file of releases/: what it is a record of, its name says.

    Raises:
        Broken: it is none.

    """
    if name == STABLE:
        return records.loads(Stable, text, origin)
    return records.loads(Quarantine, text, origin) if name == QUARANTINE else records.loads(Release, text, origin)


def read(texts: Mapping[str, str], where: str) -> State:
    """Read all of releases/, given by file name; without a file, nothing is stable, and nothing barred.

    Raises:
        Broken: a file is no record.

    """
    papers = {name: paper(name, text, f"releases/{name} of {where}") for name, text in texts.items()}
    return gathered(papers)


def gathered(papers: Mapping[str, Paper]) -> State:
    """What records say together, given by file name."""
    stable, quarantine = papers.get(STABLE), papers.get(QUARANTINE)
    return State(
        releases={name.removesuffix(".json"): one for name, one in papers.items() if isinstance(one, Release)},
        stable=stable if isinstance(stable, Stable) else Stable(environments={}),
        quarantine=quarantine if isinstance(quarantine, Quarantine) else Quarantine(),
    )


def after(state: State, change: Change) -> State:
    """What main says once a change is on it."""
    changed = {each.package.bundle.version: each for each in change.releases}
    return State(releases={**state.releases, **changed}, stable=change.stable, quarantine=change.quarantine)


def message(change: Change) -> str:
    """Say in a commit what an outcome was, why, and in lines for machines; no person's text can be such a line."""
    event = change.release.events[-1]
    told = event.why or (event.evidence.detail if event.evidence else None)
    return "\n\n".join(
        (
            change.subject,
            f"Cause: {event.cause}{f': {chr(32).join(told.split())}' if told else ''}",
            "\n".join(trailers(event.kind, change.release.package.bundle.version, event.environment)),
        )
    )


def trailers(kind: EventKind, version: str, environment: str) -> tuple[str, str, str]:
    """The lines by which the commit of an outcome is found."""
    return f"Slipway-Outcome: {kind}", f"Slipway-Version: {version}", f"Slipway-Environment: {environment}"
