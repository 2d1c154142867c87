"""The chain from a prediction to the data and back: what a name stands for, and which releases have it. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from slipway import attestation, quarantine, records
from slipway.attestation import Statement
from slipway.errors import Rejected
from slipway.history import Noted, State
from slipway.records import GateDecision, Quarantine, QuarantineEvent, Release
from slipway.signing import Run

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


class Signature(_Frozen, frozen=True, kw_only=True):
    """Who has signed a release, in which run, where and when that was logged, and by whose root it is known."""

    signer: Run
    log_index: int
    at: str
    root: str


class Link(_Frozen, frozen=True, kw_only=True):
    """A fact of a release, held against what was signed of it; those of sources against the source commit, too."""

    name: Literal["signature", "image", "bento", "model", "card", "commit", "recipe", "data", "gate", "parent"]
    holds: bool | None  # None: not checked
    why: str


class Registered(_Frozen, frozen=True, kw_only=True):
    """The version of the registry that holds the model."""

    version: str
    run_id: str


class Chain(_Frozen, frozen=True, kw_only=True):
    """All that is known of a release, from its image to its data, and what became of it everywhere."""

    version: str
    signature: Signature | None  # None where it is refused, or was not checked: see its link
    links: tuple[Link, ...]
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

    schema_version: int = 2
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
    signature: Signature | None,
    links: tuple[Link, ...],
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
        signature=signature,
        links=links,
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


def links(release: Release, said: Statement | None, card: str | None, source: Source | None) -> tuple[Link, ...]:
    """Hold each fact of a release against a statement that was verified, or say that there is none to hold it against.

    `card` is the digest of the model card that stands in Git.
    """
    facts = _facts(release, card)
    signed = dict.fromkeys(facts) if said is None else _signed(said)
    found = (_link(name, has, signed[name], checked=said is not None) for name, has in facts.items())
    return tuple(_at_source(link, source) if link.name in ("commit", "recipe", "data") else link for link in found)


def _facts(release: Release, card: str | None) -> dict[str, str | None]:
    package, bundle = release.package, release.package.bundle
    return {
        "image": package.image_digest,
        "bento": package.bento_digest,
        "model": bundle.model_digest,
        "card": card,
        "commit": bundle.source_commit,
        "recipe": bundle.recipe_digest,
        "data": bundle.data_digest,
        "gate": records.dumps(release.gate),
        "parent": release.gate.champion,
    }


def _signed(said: Statement) -> dict[str, str | None]:
    """The same facts, as they were signed."""
    subjects = {one.name: f"sha256:{one.digest.get('sha256')}" for one in said.subject}
    bundle = said.lineage.package.bundle
    return {
        "image": subjects.get(attestation.IMAGE),
        "bento": subjects.get(attestation.BENTO),
        "model": subjects.get(attestation.MODEL),
        "card": subjects.get(attestation.CARD),
        "commit": bundle.source_commit,
        "recipe": bundle.recipe_digest,
        "data": bundle.data_digest,
        "gate": records.dumps(said.lineage.gate),
        "parent": said.lineage.parent_model,
    }


def _link(name: Any, has: str | None, signed: str | None, *, checked: bool) -> Link:  # noqa: ANN401  # Link.name
    if not checked:
        return Link(name=name, holds=None, why="not checked: no signature holds")
    if has == signed:
        return Link(name=name, holds=True, why="as signed")
    told = "another decision" if name == "gate" else signed or "none"
    return Link(name=name, holds=False, why=f"NOT as signed: that was {told}")


def _at_source(link: Link, source: Source | None) -> Link:
    """Hold a fact of the sources against the commit that they come from, too."""
    if source is None:
        return msgspec.structs.replace(link, why=f"{link.why}; that commit is not in this clone")
    if link.name == "commit":
        return link
    there = source.recipe if link.name == "recipe" else source.data
    what = "files" if link.name == "recipe" else "data.dvc"
    said = f"{'as' if there else 'NOT as'} the {what} of that commit"
    return msgspec.structs.replace(link, holds=link.holds if there else False, why=f"{link.why}, {said}")


def _by_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
