"""`slipway gate`: decide whether the model at hand may be registered and released."""

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from slipway import digests, params, report
from slipway import gate as decision
from slipway.adapters import dvc, files
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.commands import Json, Root, emit, progress
from slipway.errors import Broken, Rejected
from slipway.gate import Candidate, Incomparable, Policy
from slipway.params import Evaluate
from slipway.records import Comparison, GateDecision, Metrics, ModelInfo

if TYPE_CHECKING:
    from slipway.adapters.onnx import Scorer

DECISION = Path("build/gate.json")
MODEL, METRICS = Path("artifacts/model"), Path("artifacts/metrics.json")
GUARDS = ("gate", "evaluate")  # sections of params.yaml: the thresholds, and how the intervals come about
ROUNDS, CALLS = 5, 200
MARKS = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "[dim]·[/]"}
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow; by default mlflow.db in the repository."
    ),
]


def gate(
    *,
    first: Annotated[bool, typer.Option("--first", help="There is no champion yet: the floors decide alone.")] = False,
    base: Annotated[
        str | None, typer.Option("--base", help="The commit whose thresholds count. By default origin/main, else HEAD.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the report there, too.")] = None,
    tracking_uri: TrackingUri = None,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Decide whether the trained model may be registered and released, and say why.

    It is held to the floors of `gate` in params.yaml, and must not be worse than the champion of the registry on the
    same unseen flights. The thresholds are read from the base commit, so that no change can judge itself. The decision
    is written to build/gate.json; the exit code is 0 when the model is accepted, 1 when not.

    Examples:
    ```sh
    slipway gate
    slipway gate --first
    slipway gate --base origin/main --markdown report.md
    ```
    """
    repository = Repository(root.resolve())
    (repository.root / DECISION).unlink(missing_ok=True)
    policy = read_policy(repository, base)
    with progress.status("gathering what is known of the model"):
        problems = dvc.stale(repository.root, "evaluate")
    with progress.status("comparing with the champion"):
        decided = judge(repository.root, tracking_uri, policy, problems, first=first)
    files.write_record(repository.root / DECISION, decided)
    if markdown is not None:
        info = files.read_record(ModelInfo, repository.root / MODEL / "model.json")
        metrics, _ = _metrics(repository.root / METRICS)
        files.write_text(markdown, report.markdown(decided, info, metrics))
    emit(decided, table(decided), as_json=as_json)
    if not decided.accepted:
        raise typer.Exit(Rejected.exit_code)


def read_policy(repository: Repository, base: str | None) -> Policy:
    """Read the thresholds from the base commit.

    Raises:
        Broken: there is no such commit, or it has no thresholds that this code knows.

    """
    candidates = [base] if base else [f"{REMOTE}/{BRANCH}", "HEAD"]
    found = next(((name, commit) for name in candidates if (commit := repository.commit_of(name))), None)
    if found is None:
        raise Broken(f"there is no commit {' or '.join(candidates)}", "Fetch it, or name another: --base REF")
    name, commit = found
    text = repository.show(commit, "params.yaml")
    if text is None:
        raise Broken(f"{name} has no params.yaml", "Name a commit that has the thresholds: --base REF")
    there = files.parse_yaml(text, f"params.yaml of {name}")
    here = files.parse_yaml(files.read_bytes(repository.root / "params.yaml"), "params.yaml")
    return Policy(
        thresholds=params.gate(there, f"params.yaml of {name}"),
        base=commit,
        changed=tuple(guard for guard in GUARDS if there.get(guard) != here.get(guard)),
    )


def judge(
    root: Path, tracking_uri: str | None, policy: Policy, problems: tuple[str, ...], *, first: bool
) -> GateDecision:
    """Gather the facts about artifacts/ and the champion, and decide; `problems` are those that DVC sees."""
    from slipway.adapters import mlflow, onnx

    folder = root / MODEL
    if not (folder / "model.onnx").exists():
        raise Rejected(f"there is no model: {folder / 'model.onnx'} does not exist", "Run `dvc repro`.")
    evaluate = files.read_params(root / "params.yaml").evaluate
    info, content = files.read_record(ModelInfo, folder / "model.json"), files.read_bytes(folder / "model.onnx")
    scorer = onnx.Scorer(content)
    metrics, complaint = _metrics(root / METRICS)
    candidate = Candidate(
        model_digest=digests.of_bytes(content),
        metrics=metrics,
        missed_cost=evaluate.missed_cost,
        latency_ms=latency(scorer, len(info.features)),
        model_bytes=len(content),
        problems=(*problems, *complaint, *_mismatch(info, content)),
    )
    champion = _champion(root, mlflow.address(root, tracking_uri), candidate, scorer, evaluate)
    return decision.decide(candidate, champion, policy, first=first)


def latency(scorer: "Scorer", width: int) -> float:
    """Milliseconds of one call with one row: the best of several medians, which a busy machine hardly moves."""
    import numpy as np

    row = np.zeros((1, width), dtype=np.float32)

    def once() -> float:
        started = time.perf_counter()
        scorer.score(row)
        return time.perf_counter() - started

    return 1000 * min(statistics.median(once() for _ in range(CALLS)) for _ in range(ROUNDS))


def table(decided: GateDecision) -> RenderableType:
    """The decision for a terminal."""
    rows = Table(box=None, pad_edge=False, show_header=False)
    for check in decided.checks:
        rows.add_row(MARKS[check.passed], check.name, escape(check.detail))
    outcome = "[bold green]accepted[/]" if decided.accepted else "[bold red]rejected[/]"
    lines: list[RenderableType] = [f"{outcome} {decided.model_digest}", rows]
    if decided.guards_changed:
        changed = ", ".join(decided.guards_changed)
        lines.append(
            f"[bold red]guard changed[/] this tree changes `{changed}` of params.yaml;"
            f" the thresholds are those of {decided.base[:12]}"
        )
    return Group(*lines)


def _metrics(path: Path) -> tuple[Metrics | None, tuple[str, ...]]:
    """Read the metrics; what cannot be believed, NaN included, is a complaint, and the model is refused for it."""
    try:
        return files.read_record(Metrics, path), ()
    except Broken as error:
        return None, (error.what,)


def _mismatch(info: ModelInfo, content: bytes) -> tuple[str, ...]:
    same = info.model_digest == digests.of_bytes(content)
    return () if same else ("model.json is about another model than model.onnx",)


def _champion(
    root: Path, uri: str, candidate: Candidate, scorer: "Scorer", evaluate: Evaluate
) -> Comparison | Incomparable | None:
    import polars as pl

    from slipway.adapters import mlflow, onnx
    from slipway.compare import compare

    version = mlflow.champion(uri)
    if version is None:
        return None
    if candidate.problems:
        return Incomparable(version.model_digest, "it is not certain what the candidate is")
    info, content = mlflow.download(uri, version)
    test = pl.read_parquet(root / "artifacts/splits/test.parquet")
    return compare(test, scorer.score, (info, version.version, onnx.Scorer(content).score), evaluate)
