"""Where the demo plays: a bare origin, a clone of it, and the processes that it starts, of which none outlives it."""

import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlencode, urlsplit

from rich.console import Console

from slipway.adapters import files, processes
from slipway.adapters.git import Repository
from slipway.commands import progress
from slipway.demo import Step
from slipway.errors import Broken

FOLDER = Path("build/demo")
POD, AFTER = "demo", "after"  # as the ledger knows the service that is asked by hand, in the story and after it
SIGNER = "environment.json"
GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # Without the user's configuration git would not read a tree of another owner, which a container mounts.
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
}


@dataclass(frozen=True)
class Place:
    """A folder, the console that the story is told on, and what marks the processes that belong to it."""

    root: Path
    console: Console
    mark: Mapping[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)  # where to look, which is said once

    @property
    def origin(self) -> Path:
        """The bare repository that is pushed to."""
        return self.root / "origin.git"

    @property
    def clone(self) -> Path:
        """The checkout in which the commands run."""
        return self.root / "clone"

    @property
    def remote(self) -> Path:
        """The DVC remote that the data are pulled from, and sent to."""
        return self.root / "remote"

    @property
    def relay(self) -> Path:
        """The relay's own clone."""
        return self.root / "relay"

    @property
    def rehearsal(self) -> Path:
        """The folder of the rehearsal that plays, or played last."""
        return self.clone / "build/rehearsal/production"

    @property
    def result(self) -> Path:
        """What came out, and what `--check` compares with."""
        return self.root / "result.json"

    @property
    def secrets(self) -> Path:
        """What a cluster would mount as a Secret: where the ledger is, the key of the ids, the credential."""
        return self.root / "secrets"

    @property
    def ledger(self) -> str:
        """The database of predictions and truths."""
        return f"sqlite:///{self.root / 'ledger.db'}"

    @property
    def sigstore(self) -> Path:
        """The folder of the Sigstore that releases are signed with."""
        return self.root / "sigstore"

    @property
    def tracking_uri(self) -> str:
        """The registry of models."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    def set_up(self, source: Repository) -> None:
        """Make everything anew, from the commit that is checked out."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        source.git("clone", "--quiet", "--bare", "--no-hardlinks", str(source.root), str(self.origin))
        origin = Repository(self.origin)
        origin.git("update-ref", "refs/heads/main", source.head())
        origin.git("symbolic-ref", "HEAD", "refs/heads/main")
        for clone in (self.clone, self.relay):
            origin.git("clone", "--quiet", str(self.origin), str(clone))
        # In place of the remote that the repository has in itself: what arrives is sent there, and no commit of it.
        shutil.copytree(self.clone / "sample-remote", self.remote)
        files.write_text(self.clone / ".dvc/config.local", "['remote \"sample\"']\n    url = ../../remote\n")
        (self.root / "spool").mkdir()
        secret = {"url": self.ledger, "keys": token_hex(32), "credentials": token_hex(32)}
        files.write_texts(self.secrets, secret)
        self.secrets.chmod(0o700)

    def environment(self, folder: Path, by: str = "slipway") -> dict[str, str]:
        """What commands in a clone see: its own code, this environment's tools, and who commits."""
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        code = {"PYTHONPATH": str(folder / "src"), "PATH": tools, "MLFLOW_TRACKING_URI": self.tracking_uri}
        pod = {
            "SLIPWAY_LEDGER": str(self.secrets),
            "SLIPWAY_SPOOL": str(self.root / "spool"),
            "SLIPWAY_ENVIRONMENT": "production",
            "SLIPWAY_POD": POD,
        }
        return {**os.environ, **identity(by), **code, **pod, **self._platform(folder), **self.mark}

    def _platform(self, folder: Path) -> dict[str, str]:
        """What the platform of a workflow gives a run: a token that says of which repository and commit it is."""
        path = self.sigstore / SIGNER
        if not path.exists():
            return {}
        from slipway.commands import verifying

        given: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        repository = Repository(folder)
        claims = {
            "repository": urlsplit(verifying.policy(repository).repository).path[1:],
            "sha": repository.head(),
        }
        run = f"{given['ACTIONS_ID_TOKEN_REQUEST_URL']}?{urlencode(claims)}"
        return given | {"ACTIONS_ID_TOKEN_REQUEST_URL": run}

    def say(self, text: str) -> None:
        """Tell something; a digest on two lines cannot be copied."""
        self.console.print(text, soft_wrap=True)

    def headline(self, name: str, about: str) -> None:
        """Begin a scene."""
        self.say(f"\n[bold]{name}[/]  [dim]{about}[/]")

    def play(self, step: Step, since: float | None = None) -> str:
        """Run one command in the clone, and return what it prints; shown where that is the story, or it ends otherwise.

        What plays live draws on a terminal itself. `since` is when the step began, if it was before.
        """
        started, draws = since or time.monotonic(), step.live and progress.file.isatty()
        with nullcontext() if draws else progress.status(f"{step.title}  [dim]{step.command}[/]"):
            command, environment = shlex.split(step.command), self.environment(self.clone, step.by)
            code, output = processes.run(command, self.clone, environment, draws=draws, kindly=command[0] == "slipway")
        if code != step.ends:
            self.console.print(output, markup=False)
            raise Broken(
                f"`{step.command}` ended with exit code {code} in {self.clone}", "What it printed stands above."
            )
        self.done(step, started)
        if step.shown:
            self.console.print(output, markup=False, highlight=False, soft_wrap=True)
        return output

    def done(self, step: Step, started: float) -> None:
        """Tell that a step is done."""
        took = f"{time.monotonic() - started:.1f} s"
        mark = "[yellow]✗[/]" if step.ends else "[green]✓[/]"
        self.say(f"{mark} {step.title:<36} [cyan]{took:>7}[/]  [bold]{step.command}[/]")
        if step.look not in self.told:
            self.told.add(step.look)
            self.say(f"  [dim]{step.look}[/]")

    @contextmanager
    def background(self, command: str, folder: Path, log: str, **variables: str) -> "Iterator[subprocess.Popen[bytes]]":
        """Run a command as a process of its own until the block ends; it writes to the file `log` of the place."""
        with (self.root / log).open("wb") as stream:
            environment = self.environment(folder) | variables
            process = subprocess.Popen(
                # In a session of its own Ctrl-C does not reach it beside our SIGTERM.
                shlex.split(command),
                cwd=folder,
                env=environment,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            processes.end(process)


def identity(who: str) -> dict[str, str]:
    """Who commits."""
    facts = {"NAME": who, "EMAIL": f"{who.rsplit(maxsplit=1)[-1].lower()}@demo.invalid"}
    return {f"GIT_{part}_{key}": value for part in ("AUTHOR", "COMMITTER") for key, value in facts.items()}


def leave_the_user() -> None:
    """Play with no signing, hooks or ignored files of the user, nor where his outcomes are told to people.

    A hook that has started us names its own repository.
    """
    for name in [name for name in os.environ if name.startswith(("GIT_", "SLIPWAY_"))]:
        del os.environ[name]
    os.environ.update(GIT | identity("slipway"))


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold the folder while the demo plays: a second one would make it anew under the first."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Broken(f"a demo is playing in {root}", "Wait until it ends, or stop it.") from None
        yield
