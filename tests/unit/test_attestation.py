"""What is signed reads back as it was written, and the same statement is the same bytes."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway import attestation
from slipway.attestation import File, Lineage, Statement
from slipway.errors import Rejected
from slipway.records import Bundle, Check, Estimate, GateDecision, Metrics, Package, SliceMetrics, Window
from slipway.signing import Policy, Run

POLICY = Policy(
    schema_version=1,
    root="offline",
    issuer="https://token.actions.githubusercontent.com",
    repository="https://github.com/example/slipway",
    workflow=".github/workflows/release.yml",
    ref="refs/heads/main",
    triggers=("push",),
    runner="github-hosted",
    predicate_types=(attestation.PROVENANCE,),
)
texts = st.text(max_size=20)
digest = st.binary(min_size=32, max_size=32).map(lambda content: f"sha256:{content.hex()}")
numbers = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: round(number, 9))
counts = st.integers(0, 2**53)
estimates = st.builds(Estimate, value=numbers, low=numbers, high=numbers)
windows = st.builds(Window, first=texts, last=texts, rows=counts, late_share=numbers, coverage=numbers)
slices = st.builds(SliceMetrics, by=texts, group=texts, rows=counts, late_share=numbers, auc=st.none() | estimates)
bundles = st.builds(
    Bundle,
    version=texts,
    source_commit=texts,
    data_digest=texts,
    recipe_digest=texts,
    model_digest=digest,
    request_version=counts,
)
gates = st.builds(
    GateDecision,
    accepted=st.booleans(),
    first=st.booleans(),
    model_digest=digest,
    champion=st.none() | digest,
    base=texts,
    thresholds_digest=texts,
    guards_changed=st.tuples(texts),
    checks=st.lists(st.builds(Check), max_size=0).map(tuple),
    latency_ms=numbers,
    model_bytes=counts,
    comparison=st.none(),
)
lineages = st.builds(
    Lineage,
    package=st.builds(Package, bundle=bundles, bento_digest=digest, image_digest=digest),
    parent_model=st.none() | digest,
    gate=gates,
    metrics=st.builds(
        Metrics,
        model_digest=digest,
        test=windows,
        confidence=numbers,
        overall=st.dictionaries(texts, estimates, max_size=3),
        slices=st.lists(slices, max_size=3).map(tuple),
        importance=st.dictionaries(texts, numbers, max_size=3),
    ),
    bento=st.dictionaries(texts, st.builds(File, digest=digest, executable=st.booleans()), max_size=5),
)
runs = st.builds(
    Run,
    **{name: texts for name in Run.__struct_fields__ if name != "commit"},
    commit=st.binary(min_size=20, max_size=20).map(bytes.hex),
)
resources = st.lists(st.builds(attestation.resource, texts, digest, dvc=texts), max_size=3).map(tuple)
statements = st.builds(attestation.statement, lineages, runs, card=digest, dependencies=resources, byproducts=resources)


def reversed_keys(value: Any) -> Any:  # JSON
    """The same JSON in another order of keys."""
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(each) for each in value] if isinstance(value, list) else value


@given(statements)
@settings(max_examples=100)
def test_what_is_written_is_read(said: Statement) -> None:
    """All of it, and written again it is the same bytes, whatever order it came in."""
    written = attestation.write(said)
    assert attestation.read(attestation.PAYLOAD_TYPE, written, POLICY) == said
    other = json.dumps(reversed_keys(json.loads(written))).encode()
    assert attestation.write(attestation.read(attestation.PAYLOAD_TYPE, other, POLICY)) == written


@given(lineages, runs, digest)
@settings(max_examples=50)
def test_the_same_inputs_are_the_same_bytes(lineage: Lineage, run: Run, card: str) -> None:
    """Made twice, from records that were read twice."""
    again = msgspec.json.decode(msgspec.json.encode(lineage), type=Lineage)
    made = [
        attestation.write(attestation.statement(each, run, card=card, dependencies=(), byproducts=()))
        for each in (lineage, again)
    ]
    assert made[0] == made[1]


@given(statements, statements)
@settings(max_examples=50)
def test_other_statements_are_other_bytes(one: Statement, other: Statement) -> None:
    """Nothing that is said gets lost on the way to the signature."""
    assert (attestation.write(one) == attestation.write(other)) == (one == other)


@given(lineages, runs, digest)
@settings(max_examples=50)
def test_a_statement_fits_the_run_that_it_was_made_in(lineage: Lineage, run: Run, card: str) -> None:
    """And the package that it was made of: what is said twice agrees."""
    bundle = msgspec.structs.replace(lineage.package.bundle, source_commit=run.commit)
    package = msgspec.structs.replace(lineage.package, bundle=bundle)
    gate = msgspec.structs.replace(lineage.gate, model_digest=bundle.model_digest, accepted=True)
    metrics = msgspec.structs.replace(lineage.metrics, model_digest=bundle.model_digest)
    fitting = msgspec.structs.replace(lineage, package=package, gate=gate, metrics=metrics, parent_model=gate.champion)
    said = attestation.statement(fitting, run, card=card, dependencies=(), byproducts=())
    assert list(attestation.disagreements(said, run)) == []
    assert list(attestation.uncovered(said, attestation.subjects(package, card))) == []


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_are_refused_or_read(payload: bytes) -> None:
    """Never anything else: no traceback, no exit code 2."""
    with pytest.raises(Rejected):
        attestation.read(attestation.PAYLOAD_TYPE, payload, POLICY)
