"""What GitHub does around runs: events start them, concurrency groups order them, settings and secrets feed them."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import structs
from tests.conftest import IDENTITY, NAME
from tests.workflows import api, expressions, running
from tests.workflows.running import Run
from tests.workflows.server import HEARD, UPDATE, Server
from tests.workflows.shelf import PERSON, RELAY, Shelf

from slipway.adapters import files
from slipway.commands import runtime
from slipway.manifests import tree
from slipway.records import RuntimeLock

UNPLAYED = ("check.yml",)  # its lines take many minutes, and are those of other tests
APP = {"contents": "write", "pull-requests": "write"}  # what the App of docs/deployment.md may


@dataclass
class GitHub:
    """A repository at GitHub: its origin, its settings, its runs."""

    folder: Path
    server: Server
    runs: list[Run] = field(default_factory=list)
    attested: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[Run, str, Mapping[str, Any]], None] = lambda _run, _job, _step: None  # each step
    replaced: tuple[str, str, str] | None = None  # workflow, job and the line that is `true` instead
    app: str = "Iv23liSlipway"
    app_key: str = "-----BEGIN RSA PRIVATE KEY-----"
    app_permissions: Mapping[str, str] = field(default_factory=lambda: dict(APP))
    more: dict[str, str] = field(default_factory=dict)  # variables of the repository besides
    unplayed: list[str] = field(default_factory=list)
    spared: tuple[tuple[str, str], ...] = ()  # workflow and event that a scenario does not play again
    seen: int = 0  # pushes

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.folder)
        self.server.shelf = self.shelf

    @property
    def variables(self) -> dict[str, str]:
        """Repository variables; a run for a fork has none."""
        return {
            "APP_CLIENT_ID": self.app,
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
            "RELAY": RELAY,
            **self.more,
        }

    def secrets(self, environment: str | None, ref: str) -> dict[str, str]:
        """Secrets that a job sees: those of the environment `main` on main alone."""
        if environment is None:
            return {}
        assert environment == "main", f"there is no environment {environment}"
        assert ref == "refs/heads/main", f"{ref} may not use the environment main"
        return {"APP_PRIVATE_KEY": self.app_key, "LEDGER": f"sqlite:///{self.folder / 'ledger.db'}"}

    def line(self, workflow: str, job: str, line: str) -> str:
        """A `run` line, or `true` where a test has put that in its place."""
        return "true" if self.replaced == (workflow, job, line) else line

    # --- events

    def notice(self) -> None:
        """Start what pushes and dispatches that nobody has noticed yet ask for."""
        path = self.shelf.origin / "pushes"
        pushes = path.read_text().splitlines() if path.exists() else []
        for old, new, ref, actor in (line.split() for line in pushes[self.seen :]):
            self.seen += 1
            if not ref.startswith("refs/heads/") or set(new) == {"0"}:
                continue
            for pull in self._pulls_of(ref, new):
                self._proposed(pull, quietly=actor == "workflow")
            if actor != "workflow":
                self._pushed(old, new, ref)
        while self.shelf.dispatched:
            workflow, ref, inputs, actor = self.shelf.dispatched.pop(0)
            self.enqueue(self.dispatched(workflow, inputs, ref, actor))

    def _pushed(self, old: str, new: str, ref: str) -> None:
        changed = self.git("diff", "--name-only", *((old, new) if set(old) != {"0"} else (f"{new}^", new))).splitlines()
        branch = ref.removeprefix("refs/heads/")
        for name in self.workflows(new):
            on = running.parsed(self.shelf.origin, new, name)["on"]
            if "push" in on and _matches(on["push"], branch, changed):
                self.enqueue(Run(name, "push", ref, new))

    def _pulls_of(self, ref: str, commit: str) -> list[dict[str, Any]]:
        """The open pull requests of a branch of this repository, which has a new commit."""
        found = [one for one in self.shelf.pulls if one["state"] == "open" and one["head"]["repo"]["full_name"] == NAME]
        found = [one for one in found if f"refs/heads/{one['head']['ref']}" == ref]
        for pull in found:
            pull["head"]["sha"] = commit
        return found

    def propose(self, branch: str, commit: str, repository: str = NAME) -> dict[str, Any]:
        """Somebody opens a pull request, of this repository or of a fork of it."""
        self.notice()
        pull = api.pull(len(self.shelf.pulls) + 1, repository, branch, commit)
        self.shelf.pulls.append(pull)
        self._proposed(pull)
        return pull

    def _proposed(self, pull: dict[str, Any], *, quietly: bool = False) -> None:
        head = pull["head"]["sha"]
        self.git("update-ref", f"refs/pull/{pull['number']}/head", head)
        changed = self.git("diff", "--name-only", f"main...{head}").splitlines()
        for name in [] if quietly else self.workflows(head):
            on = running.parsed(self.shelf.origin, head, name)["on"]
            if "pull_request" in on and _matches(on["pull_request"], "main", changed):
                fork = pull["head"]["repo"]["full_name"] != NAME
                ref = f"refs/pull/{pull['number']}/merge"
                self.enqueue(Run(name, "pull_request", ref, head, payload={"pull_request": pull}, fork=fork))

    def _followed(self, run: Run) -> None:
        """Start what waits for another workflow's end; main's code, whatever that one ran."""
        for name in self.workflows("main"):
            asked = running.parsed(self.shelf.origin, "main", name)["on"].get("workflow_run")
            if asked and running.parsed(self.shelf.origin, "main", run.workflow)["name"] in asked["workflows"]:
                pull = run.payload.get("pull_request", {"head": {"repo": {"owner": {"login": NAME.partition("/")[0]}}}})
                about = {
                    "id": run.number,
                    "conclusion": run.outcome,
                    "head_sha": run.sha,
                    "head_branch": pull["head"].get("ref", run.ref.removeprefix("refs/heads/")),
                    "head_repository": pull["head"]["repo"],
                }
                tip = self.git("rev-parse", "main")
                self.enqueue(Run(name, "workflow_run", "refs/heads/main", tip, payload={"workflow_run": about}))

    def dispatched(self, workflow: str, inputs: Mapping[str, Any], ref: str = "main", actor: str = PERSON) -> Run:
        """A run that somebody has asked for."""
        full = f"refs/heads/{ref.removeprefix('refs/heads/')}"
        declared = running.parsed(self.shelf.origin, full, workflow)["on"]["workflow_dispatch"] or {}
        given = {name: one.get("default", "") for name, one in declared.get("inputs", {}).items()} | dict(inputs)
        return Run(workflow, "workflow_dispatch", full, self.git("rev-parse", full), inputs=given, actor=actor)

    def enqueue(self, run: Run) -> Run:
        """Have a run wait for its turn: in a concurrency group one waits, and a newer one takes its place."""
        if run.workflow in UNPLAYED or (run.workflow, run.event) in self.spared:
            self.unplayed.append(run.workflow)
            return run
        run.number = len(self.runs) + 1
        self.runs.append(run)
        group, cancels = self._group(run)
        others = [one for one in self.runs[:-1] if group and self._group(one)[0] == group]
        for other in others:
            if other.state == "pending" or (other.state == "queued" and cancels):
                other.state = "cancelled"
        if any(other.state in ("queued", "pending") for other in others):
            run.state = "pending"
        return run

    def _group(self, run: Run) -> tuple[str | None, bool]:
        document = running.parsed(self.shelf.origin, run.sha, run.workflow)
        asked = document.get("concurrency")
        if asked is None:
            return None, False
        contexts = {"github": running.facts(self, run), "inputs": run.inputs}
        asked = {"group": asked} if isinstance(asked, str) else asked
        return str(expressions.fill(asked["group"], contexts)), bool(asked.get("cancel-in-progress"))

    def drain(self) -> list[Run]:
        """Run what waits, and what that starts, to the end; returns those runs."""
        ended: list[Run] = []
        self.notice()
        while (run := next((one for one in self.runs if one.state in ("queued", "pending")), None)) is not None:
            run.state = "queued"
            ended.append(run)
            running.execute(self, run)
            run.state = "cancelled" if run.state == "cancelled" else "ended"
            self._followed(run)
            self.notice()
        return ended

    def rerun(self, run: Run) -> Run:
        """Run again what failed of a run, and what needs it, as its button does."""
        run.attempt += 1
        running.execute(self, run)
        self.notice()
        return run

    # --- its Git

    def git(self, *words: str) -> str:
        """Run git in the origin."""
        done = subprocess.run(["git", *words], cwd=self.shelf.origin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def workflows(self, commit: str) -> list[str]:
        """Their names, in a commit."""
        listed = self.git("ls-tree", "--name-only", commit, ".github/workflows/").splitlines()
        return [Path(name).name for name in listed if name.endswith(".yml")]


def _matches(asked: Mapping[str, Any] | None, branch: str, changed: list[str]) -> bool:
    """Whether a filter of an event lets it through."""
    if asked is None:
        return True
    assert asked.keys() <= {"branches", "paths"}, f"not played here: {asked.keys()}"
    branches, paths = asked.get("branches", ["**"]), asked.get("paths", ["**"])
    return any(_glob(one, branch) for one in branches) and any(_glob(one, name) for one in paths for name in changed)


def _glob(pattern: str, text: str) -> bool:
    """`*` stops at a slash, `**` does not."""
    parts = [{"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", pattern)]
    return re.fullmatch("".join(parts), text) is not None


def point(source: Path, host: str) -> list[str]:
    """Have the images of a source be in the registry of a host; returns the layers of its runtime, which are there."""
    ours = tree.image_of(files.read_texts(source / "k8s/next/production", "*.yaml")).partition("/")[0]
    for path in (
        *(source / "k8s").rglob("*.yaml"),
        *(source / "signing/admission").rglob("*.yaml"),
        *(source / ".github/workflows").iterdir(),
    ):
        path.write_text(path.read_text().replace(ours, host))
    lock = files.read_record(RuntimeLock, source / runtime.LOCK)
    files.write_record(source / runtime.LOCK, structs.replace(lock, repository=f"{host}/example/runtime"))
    return [layer.digest for layer in lock.layers]


def make(folder: Path, server: Server, source: Path) -> GitHub:
    """Found a repository at GitHub from the commit of a source."""
    github = GitHub(folder, server)
    origin = github.shelf.origin
    subprocess.run(["git", "clone", "--quiet", "--bare", "--no-hardlinks", str(source), str(origin)], check=True)
    for name, text in (("update", UPDATE), ("post-receive", HEARD)):
        (origin / "hooks" / name).write_text(text)
        (origin / "hooks" / name).chmod(0o755)
    github.git("config", "http.receivepack", "true")
    github.git("config", "uploadpack.allowAnySHA1InWant", "true")  # as at GitHub
    return github


def copy(github: GitHub, folder: Path) -> GitHub:
    """The same at another place; what has run is forgotten."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("origin.git", "registry"):
        if (github.folder / name).exists():
            shutil.copytree(github.folder / name, folder / name, symlinks=True)
    for name in ("mlflow.db", "runtime"):
        if (github.folder / name).exists():
            shutil.copy(github.folder / name, folder / name)
    return GitHub(folder, github.server, seen=github.seen)


@dataclass(frozen=True)
class Clone:
    """A person's clone, who may push to main as who merges a pull request does."""

    github: GitHub
    root: Path

    def run(self, *words: str) -> str:
        """Run a command in it."""
        env = os.environ | IDENTITY | {"ACTOR": "person"}
        done = subprocess.run(words, cwd=self.root, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def push(self, message: str, branch: str = "main") -> str:
        """Commit all that changed, and push it; returns the commit."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)
        self.run("git", "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        return self.run("git", "rev-parse", "HEAD")

    def follow(self) -> None:
        """Follow main."""
        self.run("git", "pull", "--quiet", "--rebase", "origin", "main")


def clone(github: GitHub, name: str) -> Clone:
    """Clone the origin, as a person does."""
    root = github.folder / name
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(github.shelf.origin), str(root)], check=True)
    return Clone(github, root)
