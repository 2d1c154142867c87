"""docs/adopting.md, played with scikit-learn's table of tumours: five files of another model, and its commands."""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer
from tests import checkout, signed
from tests.conftest import ROOT
from tests.full.test_readme import Fork
from tests.workflows import github as hub
from tests.workflows import relay, server
from tests.workflows.github import GitHub
from tests.workflows.scenarios import ended

PAGE = (ROOT / "docs/adopting.md").read_text(encoding="utf-8").partition("\n## ")[0]
STEPS = re.findall(r"^\d\. .*?(?=^\d\. |\Z)", PAGE, re.DOTALL | re.MULTILINE)
OURS = Path(__file__).parent / "adopting"
FILES = {  # by where they go
    "src/slipway/schema.py": OURS / "schema.py",
    "src/slipway/features.py": OURS / "features.py",
    "src/slipway/adapters/flights.py": OURS / "flights.py",
    "params.yaml": OURS / "params.yaml",
    "bentos/flights/card.yaml": OURS / "card.yaml",
}
REWRITTEN = {  # of files that stay otherwise, what the page says to rewrite
    "src/slipway/schema.py": r"\nVERSION = .*",
    "src/slipway/features.py": r"\nFEATURES = .*?(?=\n(?:NAMES = |\Z))",
}
COMPUTED = {"data.dvc", "dvc.lock", "artifacts/metrics.json", "artifacts/validation.json"}
MONTHS = tuple(f"2024-{month:02d}" for month in range(1, 6))


def samples() -> pl.DataFrame:
    """The table, and for each row a day, which it comes without. In its own order the malignant ones come first."""
    bunch = load_breast_cancer(as_frame=True)
    rows = pl.from_pandas(bunch.data).rename(lambda name: name.replace(" ", "_")).with_row_index("sample")
    days = pl.date_range(date(2024, 1, 1), date(2024, 5, 31), eager=True)
    malignant = bunch.target_names[bunch.target] == "malignant"
    return rows.with_columns(
        date=days.gather(37 * rows["sample"] % len(days)), malignant=pl.Series(malignant, dtype=pl.Int8)
    )


def arrive(fork: Fork, rows: pl.DataFrame, *months: str) -> None:
    """Write the files of some months."""
    folder = fork.clone / "data/samples"
    folder.mkdir(parents=True, exist_ok=True)
    for month in months:
        rows.filter(pl.col("date").dt.strftime("%Y-%m") == month).write_parquet(folder / f"{month}.parquet")


def put(fork: Fork, path: str) -> None:
    """Write one of the five files."""
    here, text = fork.clone / path, FILES[path].read_text()
    if path in REWRITTEN:
        (new,) = re.findall(REWRITTEN[path], text, re.DOTALL)
        text = re.sub(REWRITTEN[path], lambda _: new, here.read_text(), count=1, flags=re.DOTALL)
    here.write_text(text)


def play(fork: Fork, step: str, **variables: str) -> None:
    """Put the files that a step of the page names, and run its commands."""
    for path in (path for path in FILES if f"`{path}`" in step):
        put(fork, path)
    (block,) = re.findall(r"```sh\n(.*?)```", step, re.DOTALL)
    fork.run(block, **variables)


def release(github: GitHub) -> None:
    """Have GitHub release 1.0.0, and promote it."""
    github.seen = len((github.shelf.origin / "pushes").read_text().splitlines())  # their runs are red, says the page
    github.enqueue(github.dispatched("release.yml", {"first": True}))
    assert ended(github.drain()) == [("release.yml", "success")]
    for environment in ("staging", "staging", "production"):
        relay.ask(github, relay.due(github, environment, "healthy"))
        assert ended(github.drain()) == [("outcome.yml", "success")]


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """A fork at GitHub, set up: its images belong in this GitHub's registry, which has the runtime's."""
    source, folder = tmp_path / "source", tmp_path / "github"
    checkout.copy(source)
    with server.started() as serving:
        layers = hub.point(source, serving.host)
        Fork(source).run("git init --quiet --initial-branch main\ngit add --all\ngit commit --quiet --message Begin")
        made = hub.make(folder, serving, source)
        (folder / "runtime").write_text("\n".join(layers))
        yield made


@pytest.fixture
def fork(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> Fork:
    """A clone of it, without data, of somebody who may push."""
    monkeypatch.setenv("ACTOR", "person")
    return Fork(hub.clone(github, "clone").root)


def test_the_page_leads_to_another_table_in_five_files(github: GitHub, fork: Fork) -> None:
    """Step by step: data and model pass, are packaged and served; then released, and the next one's canary promoted.

    GitHub has its own clones, caches and MLflow: it knows what was pushed.
    """
    began, rows = fork.run("git rev-parse HEAD").strip(), samples()
    arrive(fork, rows, *MONTHS[:4])
    for step in STEPS[:-1]:
        play(fork, step)
    changed = set(fork.run(f"git diff --name-only {began} HEAD -- . :!sample-remote").split()) - COMPUTED
    assert changed == FILES.keys()
    assert len(changed) == 5

    release(github)
    shutil.rmtree(fork.clone / "build/images")  # else the 1.0.0 that was packaged here would do
    arrive(fork, rows, MONTHS[4])
    play(fork, STEPS[-1], **signed.trusting())
    played = json.loads((fork.clone / "build/rehearsal/production/result.json").read_text())
    assert (played["outcome"], played["cause"]) == ("promoted", "verdict"), played
    assert (played["stable"], played["canary"]) == ("1.0.0", "1.1.0")
    assert all(arm["requests"] and not arm["errors"] for arm in played["traffic"].values()), played
    assert ended(github.drain()) == [("release.yml", "success")]


def test_a_model_that_has_learnt_nothing_is_refused(fork: Fork) -> None:
    """With the diagnoses dealt out anew the gate says no, and that the AUC is why."""
    for path in FILES:
        put(fork, path)
    arrive(fork, samples().with_columns(pl.col("malignant").shuffle(seed=1)), *MONTHS)
    fork.run("dvc add --quiet data\ndvc repro --quiet\ngit commit --quiet --all --message Adopt\ngit push --quiet")
    gated = fork.attempt("slipway gate --first --json")
    assert gated.returncode == 1, gated.stderr
    assert "auc_floor" in [check["name"] for check in json.loads(gated.stdout)["checks"] if check["passed"] is False]
