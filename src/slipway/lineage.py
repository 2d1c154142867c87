"""The chain from a prediction to the data and back: what a name stands for, and which releases have it. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args

import msgspec

from slipway import quarantine
from slipway.errors import Rejected
from slipway.history import Noted, State
from slipway.records import GateDecision, Quarantine, QuarantineEvent, Release

Kind = Literal["version", "image", "bento", "model", "recipe", "data", "source commit", "outcome commit"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LEAST = 12  # digits of a digest or a commit that name it
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_PREFIX = re.compile(rf"(?:sha256:|md5:)?([0-9a-f]{{{LEAST},64}}(?:\.dir)?)")


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Match(_Frozen, frozen=True, kw_only=True):
    """One thing that a name stands for, and the releases that have it, the oldest first."""

    kind: Kind
    value: str  # whole
    versions: tuple[str, ...]


class Asked(_Frozen, frozen=True, kw_only=True):
    """A prediction: what its id says, and what the ledger knows."""

    id: str
    version: str
    environment: str
    at: str
    score: float
    pod: str
    signature: Literal["verified", "not checked"]
    state: State  # of that release there and then, as Git has it
    ledger: Literal["truth told", "no truth yet", "not stored", "not asked"]
    truth: float | None


class Source(_Frozen, frozen=True, kw_only=True):
    """The commit that a release was made from, and whether what it holds is what the release says."""

    commit: str
    author: str
    at: str
    subject: str
    recipe: bool  # its files have the recorded recipe digest
    data: bool  # its data.dvc names the recorded data


class Registered(_Frozen, frozen=True, kw_only=True):
    """The version of the registry that holds the model."""

    version: str
    run_id: str


class Chain(_Frozen, frozen=True, kw_only=True):
    """All that is known of a release, from its image to its data, and what became of it everywhere."""

    version: str
    image: str
    bento: str
    model: str
    registered: Registered | None  # None where the registry has none, or was not asked
    source_commit: str
    source: Source | None  # None where this clone does not hold the commit
    recipe: str
    data: str
    gate: GateDecision
    champions: tuple[str, ...]  # releases with the model that the gate held it against
    events: tuple[Noted, ...]
    quarantined: tuple[QuarantineEvent, ...]  # of its digests, those that are barred now
    shared: Mapping[Kind, tuple[str, ...]]  # other releases with the same, by what


class Audit(_Frozen, frozen=True, kw_only=True):
    """What `slipway audit` found."""

    schema_version: int = 1
    subject: str
    matches: tuple[Match, ...]
    prediction: Asked | None
    chains: tuple[Chain, ...]  # the newest release first
    remarks: tuple[str, ...]  # what was not looked at


def find(subject: str, known: Mapping[str, Release], events: Sequence[Noted]) -> tuple[Match, ...]:
    """Say what a version, or the beginning of a digest or of a commit, stands for; one value, of one kind or several.

    Raises:
        Rejected: nothing, or several values begin like that.

    """
    prefix = _PREFIX.fullmatch(subject)
    if not prefix and not _VERSION.fullmatch(subject):
        raise Rejected(
            f"{subject!r} is no version, prediction id, digest or commit",
            f"Give {LEAST} hexadecimal digits or more of a digest or commit, or MAJOR.MINOR.PATCH.",
        )
    found: dict[tuple[Kind, str], list[str]] = {}
    for version in sorted(known, key=_by_number):
        for kind, value in things(known[version], version, events):
            bare = value.rpartition(":")[2]
            if subject == value or (
                prefix and bare.startswith(prefix[1]) and (":" not in subject or value.startswith(subject))
            ):
                found.setdefault((kind, value), []).append(version)
    if not found:
        raise Rejected(
            f"no release has {subject}",
            f"Looked for as {', '.join(KINDS[:-1])} and {KINDS[-1]} in all records of main.",
        )
    if len({value for _, value in found}) > 1:
        listed = "; ".join(f"{kind} {value} of {', '.join(versions)}" for (kind, value), versions in found.items())
        raise Rejected(f"{subject} is the beginning of several: {listed}", "Give more of its digits.")
    return tuple(
        Match(kind=kind, value=value, versions=tuple(dict.fromkeys(versions)))
        for (kind, value), versions in found.items()
    )


def things(release: Release, version: str, events: Sequence[Noted]) -> Iterator[tuple[Kind, str]]:
    """All that a release can be found by."""
    bundle = release.package.bundle
    yield "version", version
    yield from quarantine.digests(release.package).items()
    yield "data", bundle.data_digest
    yield "source commit", bundle.source_commit
    for commit in dict.fromkeys(one.commit for one in events if one.version == version):
        yield "outcome commit", commit


def chain(
    version: str,
    known: Mapping[str, Release],
    events: Sequence[Noted],
    barred: Quarantine,
    *,
    registered: Registered | None,
    source: Source | None,
) -> Chain:
    """Put together what is known of a release."""
    release = known[version]
    package, bundle, active = release.package, release.package.bundle, quarantine.active(barred)
    mine = [
        (kind, value) for kind, value in things(release, version, events) if kind not in ("version", "outcome commit")
    ]
    others = {other: set(things(one, other, events)) for other, one in known.items() if other != version}
    shared = {kind: tuple(other for other, has in others.items() if (kind, value) in has) for kind, value in mine}
    return Chain(
        version=version,
        image=package.image_digest,
        bento=package.bento_digest,
        model=bundle.model_digest,
        registered=registered,
        source_commit=bundle.source_commit,
        source=source,
        recipe=bundle.recipe_digest,
        data=bundle.data_digest,
        gate=release.gate,
        champions=tuple(
            other for other, one in known.items() if one.package.bundle.model_digest == release.gate.champion
        ),
        events=tuple(one for one in events if one.version == version),
        quarantined=tuple(active[one] for one in quarantine.digests(package).values() if one in active),
        shared={kind: versions for kind, versions in shared.items() if versions},
    )


def _by_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
