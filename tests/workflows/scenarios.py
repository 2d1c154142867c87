"""What happens to a change, from the workflows' own lines: each scenario takes a fork at GitHub.

It has released 1.0.0; those that say so begin where `staged` has ended.
"""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl
import yaml
from tests.conftest import FLIGHTS_A_MONTH, NAME
from tests.monitor.filling import fill
from tests.workflows import github as hub
from tests.workflows import relay
from tests.workflows.github import GitHub
from tests.workflows.running import Run
from tests.workflows.shelf import PERSON, RELAY

from slipway.adapters import mlflow
from slipway.adapters.ledger import Ledger

RECORDED = "Record what the pipeline computed"


def record(fork: GitHub, path: str) -> Any:
    """A record of main."""
    return json.loads(fork.git("show", f"main:{path}"))


def kinds(fork: GitHub, version: str, environment: str) -> list[str]:
    """What happened to a release."""
    events = record(fork, f"releases/{version}.json")["events"]
    return [one["kind"] for one in events if one["environment"] == environment]


def subjects(fork: GitHub, since: str, branch: str = "main") -> list[str]:
    """The commits of a branch after one, the newest first."""
    return fork.git("log", "--first-parent", "--format=%s", f"{since}..{branch}").splitlines()


def ended(runs: list[Run]) -> list[tuple[str, str]]:
    """Workflows that ran, and how they ended; what failed is shown."""
    for run in runs:
        if run.outcome == "failure":
            print(*(f"{job}: {line}\n{said}" for job, line, said in run.log[-3:]), sep="\n")
    return [(run.workflow, run.outcome) for run in runs]


def changed(person: hub.Clone, regularization: float, gate: Mapping[str, Any] | None = None) -> None:
    """Change the estimator that wins in the small profile; the other one is kept from winning. And perhaps the gate."""
    path = person.root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["train"]["logistic_regression"]["C"] = regularization
    params["train"]["hist_gradient_boosting"] |= {"max_iter": 1, "max_leaf_nodes": 2}
    params["gate"] |= gate or {}
    path.write_text(yaml.safe_dump(params))


def merge(fork: GitHub) -> str:
    """A change of the model reaches main."""
    person = hub.clone(fork, "person")
    changed(person, 0.2)
    return person.push("Regularize less")


def staged(fork: GitHub) -> None:
    """A change of the model reaches main: trained, recorded, signed, attested, and as 1.1.0 released to staging."""
    before = fork.git("rev-parse", "main")
    merge(fork)
    runs = fork.drain()
    assert ended(runs) == 2 * [("release.yml", "success")]  # the release's commit has started none
    first, second = runs
    assert [job.outcome for job in first.jobs.values()] == ["success", "success", "skipped", "skipped", "skipped"]
    assert subjects(fork, before) == ["Release 1.1.0 to staging", RECORDED, "Regularize less"]
    assert "verified 1.1.0" in second.printed("slipway verify")
    release = record(fork, "releases/1.1.0.json")["package"]
    assert release["bundle"]["source_commit"] == second.sha
    assert fork.attested == [("release.yml", release["image_digest"])]
    challenger = mlflow.by_alias(fork.variables["MLFLOW_TRACKING_URI"], mlflow.CHALLENGER)
    assert challenger is not None
    assert challenger.model_digest == release["bundle"]["model_digest"]


def delivered(fork: GitHub) -> None:
    """From staged: promoted there, it goes to production by itself; no commit of an outcome starts a run."""
    before = fork.git("rev-parse", "main")
    for environment in ("staging", "staging", "production"):
        relay.ask(fork, relay.due(fork, environment, "healthy", "verdict"))
        assert ended(fork.drain()) == [("outcome.yml", "success")]
    assert subjects(fork, before) == [
        "Promote 1.1.0 in production",
        "Release 1.1.0 to production",
        "Promote 1.1.0 in staging",
    ]
    assert record(fork, "releases/stable.json")["environments"] == {"production": "1.1.0", "staging": "1.1.0"}
    champion = mlflow.champion(fork.variables["MLFLOW_TRACKING_URI"])
    assert champion is not None
    assert champion.model_digest == record(fork, "releases/1.1.0.json")["package"]["bundle"]["model_digest"]


def asked(fork: GitHub) -> None:
    """From staged, with CARRY at pull-request: it is proposed once, a person squashes it, and it can be promoted."""
    fork.more["CARRY"] = "pull-request"
    relay.ask(fork, relay.due(fork, "staging", "healthy", "verdict"))
    fork.drain()
    before, branch = fork.git("rev-parse", "main"), "slipway/release-1.1.0-production"
    for _ in range(2):
        relay.ask(fork, relay.due(fork, "staging", "healthy", "verdict"))
        assert ended(fork.drain()) == [("outcome.yml", "success")]
    assert fork.git("rev-parse", "main") == before
    assert [pull["head"]["ref"] for pull in fork.shelf.pulls] == [branch]
    assert subjects(fork, "main", branch) == ["Release 1.1.0 to production"]
    person, pull = hub.clone(fork, "person"), fork.shelf.pulls[0]
    person.run("git", "merge", "--quiet", "--squash", f"origin/{branch}")
    person.push(f"{pull['title']} (#1)\n\n{pull['body']}")
    relay.ask(fork, relay.due(fork, "production", "healthy", "verdict"))
    assert ended(fork.drain()) == [("outcome.yml", "success")]
    assert kinds(fork, "1.1.0", "production") == ["proposed", "promoted"]


def aborted(fork: GitHub) -> None:
    """From staged: an abort that waits behind two promotions is reverted, and once, however often it is asked for."""
    before = fork.git("rev-parse", "main")
    stable = record(fork, "releases/1.0.0.json")["package"]["image_digest"]
    about = {"verb": "promote", "version": "1.0.0", "digest": stable, "cause": "person"}
    for environment in ("staging", "production"):
        fork.enqueue(fork.dispatched("outcome.yml", about | {"environment": environment}, actor=RELAY))
    action = relay.due(fork, "staging", "aborted", "verdict")
    relay.ask(fork, action)
    relay.ask(fork, action)
    assert ended(fork.drain()) == 4 * [("outcome.yml", "success")]
    assert subjects(fork, before) == ["Revert 1.1.0 in staging"]
    assert kinds(fork, "1.1.0", "staging") == ["proposed", "reverted"]
    barred = {one["what"] for one in record(fork, "releases/quarantine.json")["events"]}
    assert barred == {"image", "bento", "model", "recipe"}
    assert "slipway/revert-1.1.0" in fork.git("branch", "--format=%(refname:short)")


def not_retrained(fork: GitHub) -> None:
    """From staged: once its recipe is quarantined, no new data are proposed with it."""
    aborted(fork)
    fork.enqueue(fork.dispatched("retrain.yml", {}))
    (run,) = fork.drain()
    assert run.outcome == "failure"
    assert "is quarantined since 1.1.0 was aborted in staging" in run.printed("slipway retrain")
    assert not [name for name in fork.git("branch", "--format=%(refname:short)").split() if "data" in name]


def believed(fork: GitHub) -> None:
    """From staged: a dispatch changes nothing with another image than main knows, or from anybody but the relay."""
    before = fork.git("rev-parse", "main")
    image = record(fork, "releases/1.1.0.json")["package"]["image_digest"]
    about = {"verb": "promote", "version": "1.1.0", "environment": "staging", "cause": "verdict"}
    for actor, digest, said in (
        (RELAY, f"sha256:{64 * 'a'}", "main knows no release 1.1.0 with the image"),
        (PERSON, image, f"{PERSON} asks for an outcome, and only {RELAY} may"),
    ):
        fork.enqueue(fork.dispatched("outcome.yml", about | {"digest": digest}, actor=actor))
        (run,) = fork.drain()
        assert run.outcome == "failure"
        assert said in run.printed("slipway outcome")
    assert fork.git("rev-parse", "main") == before


def raced(fork: GitHub) -> None:
    """Of two pushes in a row the newer one is released, with both; the older one's run says that main has moved on."""
    before = fork.git("rev-parse", "main")
    merge(fork)
    person = hub.Clone(fork, fork.folder / "person")
    changed(person, 0.3)
    person.push("Regularize still less")
    assert ended(fork.drain()) == [("release.yml", "failure"), ("release.yml", "success"), ("release.yml", "success")]
    assert "main has moved on" in fork.runs[0].printed("slipway record")
    assert subjects(fork, before) == ["Release 1.1.0 to staging", RECORDED, "Regularize still less", "Regularize less"]


def run_again(fork: GitHub) -> None:
    """Somebody pushes in the moment of the release: it fails, and its second attempt releases the same once."""
    before = fork.git("rev-parse", "main")
    merge(fork)
    person = hub.Clone(fork, fork.folder / "person")

    def push(run: Run, _job: str, step: Any) -> None:
        if step.get("run", "").startswith("slipway release") and run.attempt == 1:
            person.follow()
            (person.root / "note").write_text("for colleagues")
            person.push("Write a note")

    fork.before = push
    assert ended(fork.drain()) == [("release.yml", "success"), ("release.yml", "failure")]
    run = fork.rerun(fork.runs[1])
    assert run.outcome == "success"
    assert subjects(fork, before) == ["Release 1.1.0 to staging", "Write a note", RECORDED, "Regularize less"]
    assert fork.attested == [("release.yml", record(fork, "releases/1.1.0.json")["package"]["image_digest"])]


def proposed(fork: GitHub, regularization: float = 0.2, repository: str = NAME) -> tuple[hub.Clone, list[Run]]:
    """Somebody proposes a change of the model; returns the clone, and the runs that came of it."""
    person = hub.clone(fork, "scientist")
    changed(person, regularization)
    person.run("git", "commit", "--quiet", "--all", "--message", "Regularize less")
    where = "refs/heads/less" if repository == NAME else "refs/elsewhere/less"
    person.run("git", "push", "--quiet", "origin", f"HEAD:{where}")
    fork.propose("less", person.run("git", "rev-parse", "HEAD"), repository)
    return person, fork.drain()


def comments(fork: GitHub, count: int) -> list[str]:
    """What stands under the first pull request: so many comments."""
    found = fork.shelf.comments.get(1, [])
    assert len(found) == count
    return found


def reviewed(fork: GitHub) -> None:
    """A proposed change is trained, rehearsed, reported, and recorded on its branch, which is then checked again."""
    person, runs = proposed(fork)
    assert ended(runs) == 2 * [("train.yml", "success")] + 2 * [("comment.yml", "success")]
    assert [run.event for run in runs if run.workflow == "train.yml"] == ["pull_request", "workflow_dispatch"]
    assert fork.unplayed == 2 * ["check.yml"]
    person.run("git", "fetch", "--quiet", "origin")
    assert person.run("git", "log", "--format=%s", "HEAD..origin/less") == RECORDED
    first, second = comments(fork, 2)
    assert "Accepted" in first
    assert fork.git("rev-parse", "less")[:12] in second
    assert "promoted" in second
    assert "release**: `1.1.0`, if nothing" in second
    said = [json.loads(line) for line in (fork.folder / "tools.jsonl").read_text().splitlines()]
    address = f"--repo=http://{fork.server.host}/{NAME}"
    assert said == 2 * [["comment", "update", address, "--target=pr/1", "--publish=false", "comment.md"]]
    assert subjects(fork, "main") == []


def strange(fork: GitHub) -> None:
    """A fork's pull request needs no secret: it is trained and reported, nothing is recorded anywhere."""
    before = fork.git("for-each-ref", "refs/heads")
    person, runs = proposed(fork, repository="somebody/slipway")
    assert ended(runs) == [("train.yml", "success"), ("comment.yml", "success")]
    assert [job.outcome for job in runs[0].jobs.values()] == ["success", "skipped", "skipped"]
    (comment,) = comments(fork, 1)
    assert "Accepted" in comment
    assert "promoted" in comment
    assert person.run("git", "rev-parse", "HEAD")[:12] in comment
    assert fork.git("for-each-ref", "refs/heads") == before


def worse(fork: GitHub) -> None:
    """A worse model is rejected by the gate, and the report says why; nothing is recorded."""
    _, runs = proposed(fork, regularization=1e-7)
    assert ended(runs) == [("train.yml", "failure"), ("comment.yml", "success")]
    assert "rejected" in runs[0].printed("slipway gate")
    (comment,) = comments(fork, 1)
    assert "Rejected" in comment
    assert [job.outcome for job in runs[0].jobs.values()] == ["failure", "skipped", "skipped"]


def loosened(fork: GitHub) -> None:
    """A change that loosens a gate together with the model that needs it is judged by the old gate, and said in red."""
    person = hub.clone(fork, "scientist")
    less = {"auc_margin": None, "cost_margin": None, "slice_auc_margin": None, "auc_floor": 0.1}
    changed(person, 1e-7, less)
    commit = person.push("Ask for less", branch="ask-less")
    fork.propose("ask-less", commit)
    runs = fork.drain()
    assert ended(runs) == [("train.yml", "failure"), ("comment.yml", "success")]
    report = json.loads((fork.folder / "artifacts" / str(runs[0].number) / "report/report.json").read_text())
    refused = {check["name"] for check in report["gate"]["checks"] if check["passed"] is False}
    assert refused <= less.keys()  # by its own gate it would have passed
    (comment,) = comments(fork, 1)
    assert "Rejected" in comment
    assert "\N{LARGE RED CIRCLE}" in comment


def retrained(fork: GitHub) -> None:
    """A month that has arrived becomes a branch and a pull request, once, whose data are in the remote.

    It is trained and reported as another's is: only the data change. Closed, it is not opened again, and said to be so.
    """
    _small_batch(hub.clone(fork, "desk"))
    fork.enqueue(fork.dispatched("retrain.yml", {}))
    fork.spared = (("train.yml", "workflow_dispatch"),)  # `reviewed` plays that
    assert ended(fork.drain()) == [(f"{name}.yml", "success") for name in ("retrain", "train", "comment")]
    assert "| `2013-05` |" in comments(fork, 1)[0]
    fork.enqueue(fork.dispatched("retrain.yml", {}))
    assert ended(fork.drain()) == [("retrain.yml", "success")]
    (pull,) = fork.shelf.pulls
    assert pull["head"]["ref"] == "slipway/data-2013-05"
    person = hub.clone(fork, "reviewer")
    person.run("git", "checkout", "--quiet", "slipway/data-2013-05")
    person.run("dvc", "pull", "--quiet", "data.dvc")
    assert (person.root / "data/flights/2013-05.parquet").exists()
    assert subjects(fork, "main") == []
    pull["state"] = "closed"
    fork.enqueue(fork.dispatched("retrain.yml", {}))
    (run,) = fork.drain()
    assert run.outcome == "failure"
    assert "slipway/data-2013-05 was closed" in run.printed("slipway retrain")


def _small_batch(desk: hub.Clone) -> None:
    """Have the months that arrive be of the small profile, as the data are."""
    desk.run("dvc", "pull", "--quiet", "replay.dvc")
    for path in (desk.root / "replay/flights").iterdir():
        table = pl.read_parquet(path)
        table.gather_every(table.height // FLIGHTS_A_MONTH).head(FLIGHTS_A_MONTH).write_parquet(path)
    for words in (("add", "--quiet", "replay"), ("push", "--quiet", "replay.dvc")):
        desk.run("dvc", *words)
    desk.push("Send fewer flights")


def watched(fork: GitHub) -> None:
    """What is live is asked about each hour; of a new release it is too early to say, and no word that all is well."""
    Ledger(fork.secrets("main", "refs/heads/main")["LEDGER"]).close()  # makes the tables
    fork.enqueue(fork.dispatched("monitor.yml", {}))
    (run,) = fork.drain()
    assert run.outcome == "success"
    assert "too early to say" in run.printed("slipway monitor")


def unwell(fork: GitHub) -> None:
    """From staged, and promoted: what is live has turned bad. An issue, opened once, names the way back."""
    delivered(fork)
    ledger = Ledger(fork.secrets("main", "refs/heads/main")["LEDGER"])
    fill(ledger, "1.1.0", right=0.3)
    ledger.close()
    for _ in range(2):
        fork.enqueue(fork.dispatched("monitor.yml", {}))
        assert ended(fork.drain()) == [("monitor.yml", "failure")]
    (issue,) = fork.shelf.issues
    assert issue["title"] == "1.1.0 is not well in production"
    assert "slipway rollback --to 1.0.0 --environment production --why" in issue["body"]
