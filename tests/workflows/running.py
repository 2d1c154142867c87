"""Runs the jobs of a workflow: its own `run` lines, in order, with its `env`, `if` and `needs`, in clean clones."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from tests import signed
from tests.conftest import NAME, ROOT
from tests.workflows import actions, expressions
from tests.workflows.shelf import PERSON

if TYPE_CHECKING:
    from tests.workflows.github import GitHub

Outcome = Literal["success", "failure", "skipped", "cancelled"]
TOOLS = Path(__file__).parent / "tools"  # stand-ins for programs that a runner has
CONTAINER = "/__w/"  # where a container finds the runner's work folder


def parsed(origin: Path, ref: str, name: str) -> dict[str, Any]:
    """Read a workflow from a commit."""
    text = subprocess.run(
        ["git", "show", f"{ref}:.github/workflows/{name}"], cwd=origin, capture_output=True, text=True, check=True
    ).stdout
    return parse(text)


def parse(text: str) -> dict[str, Any]:
    """Read the text of a workflow; where the key `on` is bare, it is `true` to YAML."""
    document = yaml.safe_load(text)
    triggers = document.pop(True if True in document else "on")
    assert isinstance(triggers, dict), "each event stands with what it is narrowed by"
    return {**document, "on": triggers}


@dataclass
class Job:
    """What became of a job."""

    outcome: Outcome
    outputs: dict[str, Any] = field(default_factory=dict)


@dataclass
class Run:
    """A run of a workflow, and what became of it."""

    workflow: str
    event: str
    ref: str
    sha: str
    payload: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    actor: str = PERSON
    fork: bool = False
    number: int = 0
    attempt: int = 1
    state: Literal["queued", "pending", "ended", "cancelled"] = "queued"
    jobs: dict[str, Job] = field(default_factory=dict)
    log: list[tuple[str, str, str]] = field(default_factory=list)  # job, line, what it printed

    @property
    def outcome(self) -> str:
        """Of the whole."""
        if self.state != "ended":
            return self.state
        outcomes = {job.outcome for job in self.jobs.values()}
        return "failure" if "failure" in outcomes else "cancelled" if "cancelled" in outcomes else "success"

    def printed(self, line: str = "") -> str:
        """What the steps printed whose line begins so, in one line."""
        return " ".join(" ".join(text for _, ran, text in self.log if ran.startswith(line)).split())


@dataclass
class Step:
    """What an action or a line finds around it."""

    github: "GitHub"
    run: Run
    job: str
    folder: Path  # the runner's
    workspace: Path
    env: dict[str, str]
    given: dict[str, Any]
    permissions: Mapping[str, str]
    token: str  # of the job

    @property
    def artifacts(self) -> Path:
        """What the run has uploaded."""
        return self.github.folder / "artifacts" / str(self.run.number)


def execute(github: "GitHub", run: Run) -> None:
    """Run every job that has not succeeded yet, in the order of their needs."""
    document = parsed(github.shelf.origin, run.sha, run.workflow)
    assert document["permissions"] == {}, "a job has the rights that it names, and no others"
    waiting = dict(document["jobs"])
    while waiting:
        ready = [name for name, job in waiting.items() if not set(_needs(job)) & waiting.keys()]
        if not ready:
            raise expressions.Unknown(f"{run.workflow}: {', '.join(waiting)} need each other")
        for name in ready:
            job = waiting.pop(name)
            if run.jobs.get(name, Job("failure")).outcome != "success":
                run.jobs[name] = _job(github, run, document, name, job)


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _job(github: "GitHub", run: Run, document: dict[str, Any], name: str, job: dict[str, Any]) -> Job:
    needed = {each: run.jobs[each] for each in _needs(job)}

    def status(word: str) -> bool:
        outcomes = {each.outcome for each in needed.values()}
        return {"always": True, "success": outcomes <= {"success"}, "failure": "failure" in outcomes}.get(word, False)

    contexts = {
        "github": facts(github, run),
        "vars": {} if run.fork else github.variables,
        "inputs": run.inputs,
        "needs": {each: {"outputs": one.outputs, "result": one.outcome} for each, one in needed.items()},
    }
    if not expressions.condition(job.get("if"), contexts, status):
        return Job("skipped", dict.fromkeys(job.get("outputs", {}), ""))
    permissions = {what: how for what, how in job["permissions"].items() if not run.fork or how == "read"}
    contexts["github"]["token"] = github.shelf.issue(permissions, "workflow")
    contexts["secrets"] = {} if run.fork else github.secrets(job.get("environment"), run.ref)
    if run.state == "cancelled":
        return Job("cancelled")
    return _Playing(github, run, name, job, document, permissions, contexts).play()


def facts(github: "GitHub", run: Run) -> dict[str, Any]:
    """The context `github` of a run."""
    head = run.payload.get("pull_request", {}).get("head", {}).get("ref")
    return {
        "actor": run.actor,
        "event": {"repository": {"name": NAME.split("/")[1], "full_name": NAME}, **run.payload},
        "event_name": run.event,
        "ref": run.ref,
        "ref_name": run.ref.removeprefix("refs/heads/"),
        "head_ref": head or "",
        "repository": NAME,
        "run_id": str(run.number),
        "sha": run.sha,
    }


class _Playing:
    """One job."""

    def __init__(  # noqa: PLR0917
        self,
        github: "GitHub",
        run: Run,
        name: str,
        job: dict[str, Any],
        document: dict[str, Any],
        permissions: Mapping[str, str],
        contexts: dict[str, Any],
    ) -> None:
        self._github, self._run, self._name, self._job = github, run, name, job
        self._permissions, self._contexts = permissions, contexts
        self._container = "container" in job
        self._folder = github.folder / "runners" / f"{run.number}-{run.attempt}-{name}"
        work = self._folder / (CONTAINER if self._container else "work").strip("/")
        self._workspace = work / NAME.split("/")[1] / NAME.split("/")[1]
        for folder in (self._workspace, self._folder / "temp", self._folder / "home"):
            folder.mkdir(parents=True)
        contexts["runner"] = {"temp": str(self._folder / "temp")}
        contexts["env"] = self._fill(document.get("env"))
        contexts["env"] |= self._fill(job.get("env"))
        contexts["steps"] = {}
        if self._container:
            image = expressions.fill(job["container"]["image"], contexts)
            assert "@sha256:" in str(image), "a container is named by digest"

    def play(self) -> Job:
        """Run its steps."""
        outcome: Outcome = "success"

        def status(word: str) -> bool:
            return {"always": True, "success": outcome == "success", "failure": outcome == "failure"}.get(word, False)

        try:
            for index, step in enumerate(self._job["steps"]):
                if self._run.state == "cancelled":
                    return Job("cancelled")
                if not expressions.condition(step.get("if"), self._contexts, status):
                    continue
                self._github.before(self._run, self._name, step)
                if not self._step(index, step):
                    outcome = "failure"
            return Job(outcome, self._fill(self._job.get("outputs")))
        finally:
            self._github.notice()
            shutil.rmtree(self._folder)

    def _step(self, index: int, step: dict[str, Any]) -> bool:
        outputs = self._folder / f"outputs-{index}"
        outputs.touch()
        env = self._fill(step.get("env"))
        if "uses" in step:
            given = {name: expressions.fill(value, self._contexts) for name, value in step.get("with", {}).items()}
            ok, said = self._action(step["uses"], given, env, outputs)
            label = step["uses"].partition("@")[0]
        else:
            line = label = self._github.line(self._run.workflow, self._name, step["run"])
            assert "\n" not in line.strip(), f"{line!r} is more than one command"
            assert "${{" not in line, f"{line!r} lets others write a command"
            ok, said = self._line(line, env, outputs)
        self._run.log.append((self._name, label, said))
        if "id" in step:
            lines = outputs.read_text().splitlines()
            told = dict(line.partition("=")[::2] for line in lines)
            self._contexts["steps"][step["id"]] = {"outputs": told, "outcome": "success" if ok else "failure"}
        return ok or bool(step.get("continue-on-error"))

    def _line(self, line: str, env: dict[str, str], outputs: Path) -> tuple[bool, str]:
        shell = ["sh", "-e", "-c"] if self._container else ["bash", "-e", "-c"]
        done = subprocess.run(
            [*shell, line],
            cwd=self._workspace,
            env=self._environment(outputs) | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60 * self._job["timeout-minutes"],
        )
        return done.returncode == 0, done.stdout

    def _action(self, uses: str, given: dict[str, Any], env: dict[str, str], outputs: Path) -> tuple[bool, str]:
        step = Step(
            github=self._github,
            run=self._run,
            job=self._name,
            folder=self._folder,
            workspace=self._workspace,
            env=self._environment(outputs) | env,
            given=given,
            permissions=self._permissions,
            token=self._contexts["github"]["token"],
        )
        try:
            made = actions.known(uses)(step)
        except actions.Failed as error:
            return False, str(error)
        outputs.write_text("".join(f"{name}={value}\n" for name, value in made.items()))
        return True, " ".join(made)

    def _fill(self, values: Mapping[str, Any] | None) -> dict[str, str]:
        """Evaluate a mapping; the paths of a container are those of its runner here."""
        found = {}
        for name, value in (values or {}).items():
            text = expressions.as_text(expressions.fill(value, self._contexts))
            found[name] = f"{self._folder}{text}" if text.startswith(CONTAINER) else text
        return found

    def _environment(self, outputs: Path) -> dict[str, str]:
        """What a runner gives each step; in a container slipway is the image's unless the job says otherwise."""
        event = self._folder / "event.json"
        event.write_text(json.dumps(self._contexts["github"]["event"]))
        about = self._contexts["github"]
        env = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": f"http://{self._github.server.host}/api",
            "GITHUB_EVENT_NAME": self._run.event,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_REF": self._run.ref,
            "GITHUB_REPOSITORY": NAME,
            "GITHUB_RUN_ID": str(self._run.number),
            "GITHUB_SERVER_URL": f"http://{self._github.server.host}",
            "GITHUB_SHA": about["sha"],
            "GITHUB_WORKSPACE": str(self._workspace),
            "HOME": str(self._folder / "home"),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join((str(TOOLS), str(Path(sys.executable).parent), os.environ["PATH"])),
            "RUNNER_TEMP": str(self._folder / "temp"),
            "TOOLS_LOG": str(self._github.folder / "tools.jsonl"),
            **{name: value for name, value in os.environ.items() if name.startswith("GIT_CONFIG")},
            **signed.trusting(),
        }
        if self._container:
            env["PYTHONPATH"] = str(ROOT / "src")
        if self._permissions.get("id-token") == "write":
            workflow = f"{NAME}/.github/workflows/{self._run.workflow}@{self._run.ref}"
            claims = {"ref": self._run.ref, "workflow_ref": workflow, "event_name": self._run.event}
            env |= signed.signing(about["sha"], run_id=str(self._run.number), **claims)
        return env | self._contexts["env"]
