"""`slipway report` after real runs: what belongs together is in it, and nothing that is about another model."""

from typing import Any

import msgspec
from tests.gate.conftest import reproduce
from tests.unit.test_comment import JANUARY, REHEARSED

from slipway import records
from slipway.adapters import files
from slipway.records import GateDecision, ModelInfo, Package, Validation
from slipway.report import Report


def reported(project: Any) -> Report:
    """What the verb writes, which is what it prints for a program."""
    done = project.command("slipway", "report", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == (project.root / "build/report.json").read_text()
    return records.loads(Report, done.stdout, "report.json")


def test_a_run_hands_over_what_it_found(champion: Any, slipway: Any) -> None:
    """Decision, metrics and data of the model at hand; and the rehearsal of its image, of no other one."""
    assert slipway(champion, "gate")[0] == 0
    found = reported(champion)
    assert found.gate == files.read_record(GateDecision, champion.root / "build/gate.json")
    assert found.model == files.read_record(ModelInfo, champion.root / "artifacts/model/model.json")
    assert found.metrics is not None
    assert found.data is not None
    assert found.rehearsal is None

    package = files.read_record(Package, champion.root / "build/package.json")
    played = msgspec.structs.replace(REHEARSED, image=package.image_digest)
    files.write_record(champion.root / "build/rehearsal/production/result.json", played)
    assert reported(champion).rehearsal == played
    files.write_record(champion.root / "build/rehearsal/production/result.json", REHEARSED)
    assert reported(champion).rehearsal is None

    assert slipway_comment(champion).startswith("## ✅ Accepted")


def test_what_is_about_another_model_is_left_out(champion: Any, slipway: Any) -> None:
    """After another training the old decision and the old package say nothing; after none, nothing does."""
    assert slipway(champion, "gate")[0] == 0
    package = files.read_record(Package, champion.root / "build/package.json")
    played = msgspec.structs.replace(REHEARSED, image=package.image_digest)
    files.write_record(champion.root / "build/rehearsal/production/result.json", played)
    champion.params(train__hist_gradient_boosting__max_iter=2, train__logistic_regression__C=1e-6)
    reproduce(champion)

    found = reported(champion)
    assert (found.gate, found.rehearsal) == (None, None)
    assert found.model is not None
    assert found.metrics is not None

    (champion.root / "artifacts/model").rename(champion.root / "artifacts/away")
    found = reported(champion)
    assert (found.model, found.metrics) == (None, None)
    assert found.data is not None


def test_data_that_did_not_pass_are_not_told_of(champion: Any) -> None:
    """Without a validation there is nothing to say of them."""
    (champion.root / "artifacts/validation.json").unlink()
    assert reported(champion).data is None


def test_another_month_is_a_change_of_the_data(champion: Any) -> None:
    """What was there before is read from the commit where the change began; what is there now, from the run."""
    assert slipway_comment(champion).partition("**data**")[2].partition("\n")[0].endswith("as before")
    path = champion.root / "artifacts/validation.json"
    known = files.read_record(Validation, path)
    files.write_record(path, msgspec.structs.replace(known, months=(*known.months, JANUARY)))
    data = champion.root / "data.dvc"
    data.write_text(data.read_text().replace("md5: ", "md5: 0"))
    text = slipway_comment(champion)
    assert f"before {sum(one.rows for one in known.months):,} in {len(known.months)}" in text
    assert f"| `{JANUARY.month}` |" in text.partition("### Data")[2]


def slipway_comment(project: Any) -> str:
    """The comment on what is at hand."""
    reported(project)
    done = project.command("slipway", "comment")
    assert done.returncode == 0, done.stdout + done.stderr
    return str((project.root / "build/comment.md").read_text())
