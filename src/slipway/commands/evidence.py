"""What the gate must know: the model at hand, its metrics and its speed, and the champion on the same flights."""

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from slipway import digests, oci, quarantine, recipe, records, releases
from slipway.adapters import files, layout
from slipway.adapters.git import Repository
from slipway.changes import State
from slipway.commands import BUILD, METRICS, MODEL, agreed, verifying
from slipway.commands.package import BENTO
from slipway.errors import Broken, Rejected
from slipway.gate import Candidate, Incomparable, Policy, decide
from slipway.params import Evaluate
from slipway.records import Comparison, GateDecision, Metrics, ModelInfo, Part, Release

if TYPE_CHECKING:
    from slipway.adapters.mlflow import Version
    from slipway.adapters.onnx import Scorer

ROUNDS, CALLS = 5, 200


def judge(
    repository: Repository,
    tracking_uri: str | None,
    policy: Policy,
    problems: tuple[str, ...],
    *,
    first: bool,
    stable: bool = False,
) -> GateDecision:
    """Gather the facts about artifacts/ and the champion, and decide; `problems` are those that DVC sees.

    With `stable`, production's recorded stable is the champion, or there is none.

    What is quarantined, and which champion was signed, stands in what everybody agreed on.

    Raises:
        Rejected: there is no model, or not the one that its record is about; or the champion was changed.

    """
    from slipway.adapters import mlflow, onnx

    root, main = repository.root, agreed.newest(repository).state()
    folder = root / MODEL
    if not (folder / "model.onnx").exists():
        raise Rejected(f"there is no model: {folder / 'model.onnx'} does not exist", "Run `dvc repro`.")
    info, content = files.read_record(ModelInfo, folder / "model.json"), files.read_bytes(folder / "model.onnx")
    if digests.of_bytes(content) != info.model_digest:
        raise Rejected("model.json is about another model than model.onnx", "Run `dvc repro`.")
    scorer = onnx.Scorer(content)
    metrics, complaint = read_metrics(root / METRICS)
    candidate = Candidate(
        model_digest=info.model_digest,
        metrics=metrics,
        latency_ms=latency(scorer, len(info.features)),
        model_bytes=len(content),
        barred=barred(root, info, main),
        problems=(*problems, *complaint),
    )
    if stable:
        reigning = main.stable_of(releases.PRODUCTION)
        champion = _beside_stable(repository, reigning, candidate, scorer, policy.evaluate) if reigning else None
        return decide(candidate, champion, policy, first=reigning is None)
    uri = mlflow.address(root, tracking_uri)
    crowned = mlflow.champion(uri)
    champion = _compared(repository, main, uri, crowned, candidate, scorer, policy.evaluate) if crowned else None
    return decide(candidate, champion, policy, first=first)


def barred(root: Path, info: ModelInfo, main: State) -> tuple[str, ...]:
    """Say why the model at hand, or the recipe that made it, must not be released again."""
    made_by = recipe.digest(files.read_matching(root, recipe.PATTERNS))
    asked: dict[Part, str] = {"model": info.model_digest, "recipe": made_by}
    return quarantine.reasons(main.quarantine, asked, main.releases)


def latency(scorer: "Scorer", width: int) -> float:
    """Milliseconds of one call with one row: the best of several medians, which a busy machine hardly moves."""
    import numpy as np

    row = np.zeros((1, width), dtype=np.float32)

    def once() -> float:
        started = time.perf_counter()
        scorer.score(row)
        return time.perf_counter() - started

    return 1000 * min(statistics.median(once() for _ in range(CALLS)) for _ in range(ROUNDS))


def read_metrics(path: Path) -> tuple[Metrics | None, tuple[str, ...]]:
    """Read the metrics; what cannot be believed, NaN included, is a complaint, and the model is refused for it."""
    try:
        return files.read_record(Metrics, path), ()
    except Broken as error:
        return None, (error.what,)


def _compared(  # noqa: PLR0917
    repository: Repository,
    main: State,
    uri: str,
    crowned: "Version",
    candidate: Candidate,
    scorer: "Scorer",
    evaluate: Evaluate,
) -> Comparison | Incomparable:
    import polars as pl

    from slipway.adapters import mlflow, onnx
    from slipway.compare import compare

    if candidate.problems:
        return Incomparable(crowned.model_digest, "it is not certain what the candidate is")
    info, content = mlflow.download(uri, crowned)
    try:
        _require_signed(repository, main, crowned, content)
    except Rejected as error:
        return Incomparable(crowned.model_digest, error.what)
    test = pl.read_parquet(repository.root / "artifacts/splits/test.parquet")
    return compare(test, scorer.score, (info, crowned.version, onnx.Scorer(content).score), evaluate)


def _beside_stable(
    repository: Repository, reigning: Release, candidate: Candidate, scorer: "Scorer", evaluate: Evaluate
) -> Comparison | Incomparable:
    """Compare with the model in the image of the recorded stable."""
    import polars as pl

    from slipway.adapters import onnx
    from slipway.compare import compare

    bundle = reigning.package.bundle
    if candidate.problems:
        return Incomparable(bundle.model_digest, "it is not certain what the candidate is")
    folder = repository.root / BUILD / "images" / bundle.version
    if not folder.is_dir():
        raise Broken(f"the image of {bundle.version} is not at hand in {folder}", "Run `slipway pull`.")
    image, _ = layout.read(folder)
    held = oci.unpack(layout.read_blob(folder, image.layers[-1].digest))
    info, content = (held[f"{BENTO}/src/model/{name}"][0] for name in ("model.json", "model.onnx"))
    try:
        found = {"model.onnx": digests.of_bytes(content), "model.json": digests.of_bytes(info)}
        verifying.require_same_model(verifying.released(repository, reigning), found)
    except Rejected as error:
        return Incomparable(bundle.model_digest, error.what)
    test = pl.read_parquet(repository.root / "artifacts/splits/test.parquet")
    known = records.loads(ModelInfo, info, f"model.json of {bundle.version}")
    return compare(test, scorer.score, (known, bundle.version, onnx.Scorer(content).score), evaluate)


def _require_signed(repository: Repository, main: State, crowned: "Version", content: bytes) -> None:
    """See that what the registry gave as the champion is, byte for byte, part of a release that was signed."""
    having = [one for one in main.releases.values() if one.package.bundle.model_digest == crowned.model_digest]
    if not having:
        raise Rejected(f"no release of main has the model {crowned.model_digest}", "Crown a released model.")
    verified = verifying.released(repository, having[-1])
    found = {"model.onnx": digests.of_bytes(content), "model.json": crowned.tags["info_digest"]}
    verifying.require_same_model(verified, found)
