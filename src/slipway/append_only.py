"""Does a change of `releases/` only add to it, and does the recorded stable follow from what it adds. Pure.

A record that is rewritten is a history that lies: what was decided, and on what evidence, stays as it was written.
Faults are found between two states, the older one trusted, so that no machine's clock says which event came last.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from slipway.changes import STABLE, Paper, paper
from slipway.errors import Broken
from slipway.records import Quarantine, QuarantineEvent, Release, ReleaseEvent, Stable
from slipway.releases import STABLE_BY

Texts = Mapping[str, str]  # of releases/*.json, by file name


def faults(before: Texts, after: Texts) -> list[str]:
    """Say what a change has lost, rewritten or contradicted; nothing if it only added.

    Raises:
        Broken: what stood there before cannot be read.

    """
    was = {name: paper(name, text, name) for name, text in before.items()}
    now: dict[str, Paper] = {}
    unreadable = []
    for name, text in after.items():
        try:
            now[name] = paper(name, text, name)
        except Broken as error:
            unreadable.append(error.what)
    if unreadable:  # it hides what depends on it
        return unreadable
    return [*_lost(was, now), *_misnamed(now), *_stable(was, now)]


def _lost(was: Mapping[str, Paper], now: Mapping[str, Paper]) -> Iterator[str]:
    for name, old in sorted(was.items()):
        match old, now.get(name):
            case _, None:
                yield f"{name}: is gone"
            case Release() as old_release, Release() as new:
                if new.package != old_release.package:
                    yield f"{name}: the package was changed"
                if new.gate != old_release.gate:
                    yield f"{name}: the gate's decision was changed"
                yield from _events(name, old_release.events, new.events)
            case Quarantine() as old_quarantine, Quarantine() as new_quarantine:
                yield from _events(name, old_quarantine.events, new_quarantine.events)


def _events(
    name: str, was: Sequence[ReleaseEvent | QuarantineEvent], now: Sequence[ReleaseEvent | QuarantineEvent]
) -> Iterator[str]:
    """Say what became of the first event that is not as it was."""
    for number, (old, new) in enumerate(zip_longest(was, now[: len(was)]), start=1):
        if old != new:
            yield f"{name}: event {number} ({old.kind} in {old.environment}) was {'changed' if new else 'removed'}"
            return


def _misnamed(now: Mapping[str, Paper]) -> Iterator[str]:
    for name, one in sorted(now.items()):
        if isinstance(one, Release) and name != f"{one.package.bundle.version}.json":
            yield f"{name}: is about {one.package.bundle.version}"


def _stable(was: Mapping[str, Paper], now: Mapping[str, Paper]) -> Iterator[str]:
    """Say where the recorded stable is not the release that was made it last."""
    before, after = _environments(was), _environments(now)
    every = {place for name in now for place, _ in _lives(now, name)}
    for environment in sorted(before.keys() | after.keys() | every):
        added = [
            (at, name.removesuffix(".json"))
            for name in now
            for place, at in _lives(now, name)[len(_lives(was, name)) :]
            if place == environment
        ]
        latest = max(added)[0] if added else None
        last: list[str | None] = [version for at, version in added if at == latest]
        last = last or [before.get(environment)]
        said = after.get(environment)
        if said not in last:
            yield f"{STABLE}: {environment} has {said or 'no stable'}, though {last[-1] or 'none'} was made it last"
        elif said and environment not in [place for place, _ in _lives(now, f"{said}.json")]:
            yield f"{STABLE}: {environment} has {said}, which was never promoted or restored there"


def _environments(papers: Mapping[str, Paper]) -> dict[str, str]:
    found = papers.get(STABLE)
    return found.environments if isinstance(found, Stable) else {}


def _lives(papers: Mapping[str, Paper], name: str) -> list[tuple[str, str]]:
    """Where a release was made the stable, and when."""
    release = papers.get(name)
    events = release.events if isinstance(release, Release) else ()
    return [(event.environment, event.at) for event in events if event.kind in STABLE_BY]
