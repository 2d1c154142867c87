"""What is signed of a release: one in-toto statement over its image, bento, model and model card. Pure.

Its predicate is SLSA provenance v1 (https://slsa.dev/spec/v1.2/provenance), shaped as GitHub's `actions/attest` shapes
it. What the platform attests stands in the certificate too and must agree with it; all else, under
`internalParameters.slipway` and in the dependencies and by-products, the build says of itself.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from slipway import records, signing
from slipway.digests import Entries
from slipway.errors import Rejected
from slipway.records import Digest, GateDecision, Metrics, Package
from slipway.signing import Policy, Run

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "https://slipway.dev/build/v1"
IMAGE, BENTO, MODEL, CARD = "image", "bento", "model.onnx", "card.cdx.json"
Hex = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{40,64}\Z")]
REMEDY = "Sign what this commit makes: `slipway package`, then `slipway sign`, both in the workflow of the policy."


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    pass


class Resource(_Frozen, frozen=True, omit_defaults=True):
    """A thing by its digests: a subject, a dependency or a by-product (in-toto's ResourceDescriptor)."""

    digest: Mapping[str, Hex]
    name: str | None = None
    uri: str | None = None
    annotations: Mapping[str, str] | None = None


class File(_Frozen, frozen=True):
    """One file of the bento."""

    digest: Digest
    executable: bool


class Lineage(_Frozen, frozen=True, rename=None):
    """What the build says of itself: where the model comes from, what let it in, and every file of the bento."""

    package: Package
    parent_model: str | None  # digest of the champion that the gate held it against
    gate: GateDecision
    metrics: Metrics
    bento: Mapping[str, File]

    @property
    def entries(self) -> Entries:
        """The files of the bento, as trees are compared."""
        return {path: (file.digest, file.executable) for path, file in self.bento.items()}


class Workflow(_Frozen, frozen=True):
    """Which workflow, of which repository, at which ref."""

    ref: str
    repository: str
    path: str


class External(_Frozen, frozen=True):
    """What who triggered the build could choose."""

    workflow: Workflow


class GitHub(_Frozen, frozen=True, rename=None):
    """What the platform knows besides."""

    event_name: str
    repository_id: str
    repository_owner_id: str
    runner_environment: str


class Internal(_Frozen, frozen=True):
    """What the build knew: by the platform, and by itself."""

    github: GitHub
    slipway: Lineage


class BuildDefinition(_Frozen, frozen=True):
    """What was built, of what."""

    build_type: Literal["https://slipway.dev/build/v1"]
    external_parameters: External
    internal_parameters: Internal
    resolved_dependencies: tuple[Resource, ...]


class Builder(_Frozen, frozen=True):
    """Who built it."""

    id: str


class Metadata(_Frozen, frozen=True):
    """Which run built it."""

    invocation_id: str


class RunDetails(_Frozen, frozen=True):
    """How it was built, and what else came of it."""

    builder: Builder
    metadata: Metadata
    byproducts: tuple[Resource, ...]


class Provenance(_Frozen, frozen=True):
    """The predicate."""

    build_definition: BuildDefinition
    run_details: RunDetails


class Statement(_Frozen, frozen=True):
    """The statement, as it is signed."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[Resource, ...]
    predicate_type: str
    predicate: Provenance

    @property
    def lineage(self) -> Lineage:
        """What the build says of itself."""
        return self.predicate.build_definition.internal_parameters.slipway


def statement(
    lineage: Lineage, run: Run, *, card: str, dependencies: tuple[Resource, ...], byproducts: tuple[Resource, ...]
) -> Statement:
    """Say of a package what it is and where it comes from, in this run; `card` is the digest of its model card."""
    return Statement(
        type=STATEMENT,
        subject=tuple(resource(name, digest) for name, digest in subjects(lineage.package, card).items()),
        predicate_type=PROVENANCE,
        predicate=Provenance(
            build_definition=BuildDefinition(
                build_type=BUILD_TYPE,
                external_parameters=External(workflow=_workflow(run)),
                internal_parameters=Internal(github=_github(run), slipway=lineage),
                resolved_dependencies=(_source(run), *dependencies),
            ),
            run_details=RunDetails(
                builder=Builder(id=run.signer), metadata=Metadata(invocation_id=run.invocation), byproducts=byproducts
            ),
        ),
    )


def subjects(package: Package, card: str) -> dict[str, str]:
    """What is signed of a package, by name -> digest; `card` is that of its model card."""
    return {
        IMAGE: package.image_digest,
        BENTO: package.bento_digest,
        MODEL: package.bundle.model_digest,
        CARD: card,
    }


def resource(name: str, digest: str, **annotations: str) -> Resource:
    """Name a thing by its SHA-256, given as `sha256:<hex>`."""
    return Resource(name=name, digest={"sha256": digest.removeprefix("sha256:")}, annotations=annotations or None)


def accept(  # noqa: PLR0917
    payload_type: str, payload: bytes, policy: Policy, run: Run, package: Package, card: str
) -> Statement:
    """Hold what was signed in a run against the policy, against that run, and against a package and its model card.

    Raises:
        Rejected: it does not fit; says which fact.

    """
    said = authentic(payload_type, payload, policy, run)
    faults = [*uncovered(said, subjects(package, card))]
    if said.lineage.package != package:
        faults.append("the package is recorded otherwise than it was signed")
    if faults:
        raise Rejected(faults[0], REMEDY)
    return said


def authentic(payload_type: str, payload: bytes, policy: Policy, run: Run) -> Statement:
    """Hold what was signed in a run against the policy and against that run, whatever release it is about.

    Raises:
        Rejected: it does not fit; says which fact.

    """
    for fault in signing.faults(policy, run):
        raise Rejected(f"its certificate does not fit the policy: {fault}", REMEDY)
    said = read(payload_type, payload, policy)
    for fault in disagreements(said, run):
        raise Rejected(fault, REMEDY)
    return said


def read(payload_type: str, payload: bytes, policy: Policy) -> Statement:
    """Read what was signed.

    Raises:
        Rejected: it is no such statement, or of a kind that the policy does not take.

    """
    if payload_type != PAYLOAD_TYPE:
        raise Rejected(f"what was signed is {payload_type!r}, no in-toto statement", REMEDY)
    try:
        kind = json.loads(payload, object_pairs_hook=signing.unique)["predicateType"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise Rejected(f"what was signed is no statement: {error!r}", REMEDY) from error
    if kind not in policy.predicate_types or kind != PROVENANCE:
        raise Rejected(
            f"the predicate type is {kind}, the policy asks for {' or '.join(policy.predicate_types)}", REMEDY
        )
    try:
        return msgspec.json.decode(payload, type=Statement)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Rejected(f"the statement is not as this version of Slipway reads it: {error}", REMEDY) from error


def write(said: Statement) -> bytes:
    """The bytes that are signed."""
    return records.dumps(said).encode()


def disagreements(said: Statement, run: Run) -> Iterator[str]:
    """Say what a statement says of its run that the certificate does not, or of itself twice and differently."""
    definition, details = said.predicate.build_definition, said.predicate.run_details
    package = said.lineage.package
    facts: Mapping[str, tuple[Any, Any]] = {
        "workflow": (definition.external_parameters.workflow, _workflow(run)),
        "github": (definition.internal_parameters.github, _github(run)),
        "source": (definition.resolved_dependencies[:1], (_source(run),)),
        "builder": (details.builder.id, run.signer),
        "invocation": (details.metadata.invocation_id, run.invocation),
        "source commit": (package.bundle.source_commit, run.commit),
    }
    for name, (claimed, attested) in facts.items():
        if claimed != attested:
            yield f"the statement's {name} is {_plain(claimed)}, the certificate's is {_plain(attested)}"
    gate, model = said.lineage.gate, package.bundle.model_digest
    twice = {
        "model of the gate": (gate.model_digest, model),
        "model of the metrics": (said.lineage.metrics.model_digest, model),
        "parent model": (said.lineage.parent_model, gate.champion),
    }
    for name, (once, again) in twice.items():
        if once != again:
            yield f"the statement's {name} is {once}, elsewhere in it {again}"
    if not gate.accepted:
        yield "the statement's gate has rejected the model"


def uncovered(said: Statement, expected: Mapping[str, str]) -> Iterator[str]:
    """Say which of the things by name -> digest the statement is not about just once, and what else it is about."""
    for name, digest in expected.items():
        signed = [one for one in said.subject if one.name == name]
        if signed != [resource(name, digest)]:
            yield f"the {name} is {digest}, signed was {' and '.join(map(_plain, signed)) or 'none'}"
    for one in said.subject:
        if one.name not in expected:
            yield f"the statement is about something else, too: {_plain(one)}"


def _workflow(run: Run) -> Workflow:
    path = run.workflow.removeprefix(f"{run.repository}/").rpartition("@")[0]
    return Workflow(ref=run.ref, repository=run.repository, path=path)


def _github(run: Run) -> GitHub:
    return GitHub(
        event_name=run.trigger,
        repository_id=run.repository_id,
        repository_owner_id=run.owner_id,
        runner_environment=run.runner,
    )


def _source(run: Run) -> Resource:
    return Resource(uri=f"git+{run.repository}@{run.ref}", digest={"gitCommit": run.commit})


def _plain(value: Any) -> str:  # noqa: ANN401  # a record or a text
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
