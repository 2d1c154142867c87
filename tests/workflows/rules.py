"""What the workflows must keep to, beyond what zizmor and actionlint know: each rule says what breaks it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from tests.conftest import ROOT
from tests.workflows.actions import ACTIONS
from tests.workflows.expressions import WHOLE

PLATFORM = yaml.safe_load((ROOT / "k8s/platform/kustomization.yaml").read_text())["images"][0]
CONTAINER = f"{PLATFORM['newName']}@{PLATFORM['digest']}"  # what the cluster runs, too
KEPT = ("APP_PRIVATE_KEY", "LEDGER", "MLFLOW_TRACKING_PASSWORD", "SLIPWAY_NOTIFY")  # for no pull request
SPEAKS = ("git fetch", "slipway outcome", "slipway record", "slipway release", "slipway retrain")  # to the remote
PINNED = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$", re.MULTILINE)
NEEDS: tuple[tuple[str, str, str], ...] = (  # what a line begins with, and the right that it takes
    ("cml comment", "pull-requests", "write"),
    ("docker login", "packages", "write"),
    ("gh workflow run", "actions", "write"),
    ("slipway monitor --issue", "issues", "write"),
    ("slipway pr ", "pull-requests", "read"),
    ("slipway push", "packages", "write"),
    ("slipway sign", "id-token", "write"),
)
ACTIONS_NEED = {
    "actions/attest": (("attestations", "write"), ("id-token", "write"), ("packages", "write")),
    "actions/checkout": (("contents", "read"),),
}


def faults(name: str, document: Mapping[str, Any], text: str) -> Iterator[str]:
    """Say what is wrong with a workflow."""
    if document.get("permissions") != {}:
        yield "permissions: {} does not stand first: a job would have rights that it does not name"
    concurrency = document.get("concurrency")
    if concurrency and concurrency.get("cancel-in-progress") is not False:
        yield "its concurrency group cancels what runs"
    if name == "outcome.yml" and "concurrency" in text.partition("\non:")[2]:
        yield "a concurrency group may drop an abort"
    pinned = len(PINNED.findall(text))
    if (used := len(re.findall(r"\buses:", text))) != pinned:
        yield f"{used - pinned} of its actions are not pinned by commit, with the version beside it"
    for job, about in document["jobs"].items():
        yield from (f"{job}: {fault}" for fault in _job(about, document["jobs"]))


def _job(job: Mapping[str, Any], jobs: Mapping[str, Any]) -> Iterator[str]:
    for key in ("permissions", "timeout-minutes"):
        if not job.get(key):
            yield f"no {key}"
    if job.get("runs-on") != "ubuntu-24.04":
        yield f"runs on {job.get('runs-on')}"
    if "container" in job and job["container"].get("image") != CONTAINER:
        yield f"runs in {job['container'].get('image')}"
    needs = job.get("needs", [])
    needs = [needs] if isinstance(needs, str) else needs
    yield from (f"needs {each}, which is no job" for each in needs if each not in jobs)
    for each, output in re.findall(r"needs\.(\w+)\.outputs\.(\w+)", _written(job)):
        if each not in needs:
            yield f"reads an output of {each}, which it does not need"
        elif output not in jobs[each].get("outputs", {}):
            yield f"{each} has no output {output}"
    attesting = [name for name, other in jobs.items() if "actions/attest@" in _written(other)]
    if any(step.get("run", "").startswith("slipway release") for step in job["steps"]) and not {*attesting} <= {*needs}:
        yield "releases what is not attested yet"
    yield from _steps(job)


def _steps(job: Mapping[str, Any]) -> Iterator[str]:
    rights, lines = job.get("permissions") or {}, [step["run"] for step in job["steps"] if "run" in step]
    known = {step["id"] for step in job["steps"] if "id" in step}
    read = re.findall(r"steps\.(\w+)\.", _written(job))
    yield from (f"reads {each}, which is no step" for each in read if each not in known)
    asked = [(line, what, how) for line in lines for start, what, how in NEEDS if line.startswith(start)]
    for step in job["steps"]:
        action = step.get("uses", "").partition("@")[0]
        if action and (action not in ACTIONS or step["uses"].partition("@")[2] != ACTIONS[action][0]):
            yield f"uses {step['uses']}, which nobody has looked up"
        asked += [(action, what, how) for what, how in ACTIONS_NEED.get(action, ())]
        given = step.get("with", {})
        if action == "actions/checkout" and given.get("persist-credentials") is not _speaks(lines):
            yield "its checkout keeps credentials where nobody asks the remote, or none where somebody does"
        if given.get("cache", action == "actions/setup-go") is not False:  # which has one, unless told otherwise
            yield "it has a cache"
        if action == "actions/download-artifact" and "run-id" in given:
            asked.append((action, "actions", "read"))
    if "container" in job:
        asked.append(("its container", "packages", "read"))
    for who, what, how in asked:
        if rights.get(what) not in (how, "write"):
            yield f"{who} takes {what}: {how}"
    for line in lines:
        if "\n" in line.strip() or re.search(r"\||&&|;", line):
            yield f"{line!r} is more than one command"
        if WHOLE.search(line):
            yield f"{line!r} lets others write a command"
    if re.search(rf"secrets\.({'|'.join(KEPT)})\b", _written(job)) and job.get("environment") != "main":
        yield "it reads a secret outside the environment main"


def _speaks(lines: list[str]) -> bool:
    return any(line.startswith(SPEAKS) for line in lines)


def _written(value: Any) -> str:
    """All that stands in a part of a workflow."""
    if isinstance(value, Mapping):
        return " ".join(_written(one) for one in value.values())
    if isinstance(value, list):
        return " ".join(_written(one) for one in value)
    return str(value)
