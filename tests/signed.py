"""Signs in tests as the release workflow does: with a Sigstore of this machine, which lives as long as the tests do."""

import atexit
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from tests.conftest import ROOT
from tests.signing.instance import Instance, started

from slipway import attestation, digests, records
from slipway.adapters import files, sigstore
from slipway.attestation import File, Lineage
from slipway.card import words, writing
from slipway.commands import verifying
from slipway.records import Estimate, GateDecision, Metrics, ModelInfo, Package, RuntimeLock, SliceMetrics, Window

WINDOW = Window(first="2013-04-01", last="2013-04-30", rows=1, late_share=0.2, coverage=1.0)
SOME = Estimate(value=0.7, low=0.6, high=0.8)
_RUNNING = ExitStack()
atexit.register(_RUNNING.close)


@cache
def instance() -> Instance:
    """Start it, once."""
    folder = _RUNNING.enter_context(tempfile.TemporaryDirectory(prefix="slipway-sigstore-"))
    return _RUNNING.enter_context(started(Path(folder)))


def trusting() -> dict[str, str]:
    """What a process needs that verifies."""
    return {verifying.LOOPBACK: str(instance().trust)}


def signing(commit: str, **claims: str) -> dict[str, str]:
    """What a process needs that signs, in a run for a commit; other claims are as the policy asks unless given."""
    return instance().environment(**{"sha": commit, **claims})


def write(root: Path, package: Package, gate: GateDecision, *bento: tuple[str, str], **claims: str) -> None:
    """Sign a package that was never built, and put statement and card where Git keeps them; claims as in `signing`.

    `bento` is what it holds: paths and digests.
    """
    card = _card(package)
    bundle = _bundle(package, records.dumps(gate), digests.of_bytes(card.encode()), bento, **claims)
    for path, text in zip(verifying.committed(package.bundle.version), (bundle, card), strict=True):
        files.write_text(root / path, text)


@cache
def _bundle(package: Package, gate: str, card: str, bento: tuple[tuple[str, str], ...], **claims: str) -> str:
    decided = records.loads(GateDecision, gate, "the gate's decision")
    token = instance().token(**{"sha": package.bundle.source_commit, **claims})
    run = sigstore.run_of(token)
    lineage = Lineage(
        package=package,
        parent_model=decided.champion,
        gate=decided,
        metrics=_metrics(package.bundle.model_digest),
        bento={path: File(digest=digest, executable=False) for path, digest in bento},
    )
    said = attestation.statement(lineage, run, card=card, dependencies=(), byproducts=())
    trust = sigstore.trust(instance().trust.read_text(), "the tests' Sigstore")
    return sigstore.sign(attestation.write(said), token, trust)


def _metrics(model_digest: str) -> Metrics:
    slices = tuple(SliceMetrics(by=by, group="some", rows=1, late_share=0.2, auc=SOME) for by in _words().fairness)
    return Metrics(
        model_digest=model_digest,
        test=WINDOW,
        confidence=0.95,
        overall={"auc": SOME},
        slices=slices,
        importance={},
    )


def _card(package: Package) -> str:
    model_digest = package.bundle.model_digest
    info = ModelInfo(
        model_digest=model_digest,
        estimator="none",
        request_version=1,
        features=(),
        threshold=0.2,
        train=WINDOW,
        validation_log_loss={},
        parity=0.0,
    )
    return writing.write(
        writing.Facts(
            words=_words(),
            package=package,
            model=info,
            metrics=_metrics(model_digest),
            runtime=files.read_record(RuntimeLock, ROOT / "bentos/flights/runtime.lock.json"),
            lock_name="requirements/serving.txt",
            lock=(ROOT / "requirements/serving.txt").read_text(),
        )
    )


@cache
def _words() -> words.Words:
    return words.parse(files.parse_yaml((ROOT / "bentos/flights/card.yaml").read_text(), "card.yaml"), "card.yaml")
