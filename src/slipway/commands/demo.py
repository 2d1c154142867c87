"""`slipway demo`: the story on real data, in a throw-away clone, by the very commands a person would type."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from slipway import demo as story
from slipway import releases
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.commands import Json, Root, console, emit, progress, shelf
from slipway.commands.serve import until_ended
from slipway.demo import Asked, DemoResult
from slipway.errors import Broken, Rejected
from slipway.schema import TARGET_MINUTES

FOLDER = Path("build/demo")
READY_SECONDS = 90
MACHINE = {"NAME": "slipway", "EMAIL": "slipway@demo.invalid"}
GIT = {f"GIT_{who}_{key}": value for who in ("AUTHOR", "COMMITTER") for key, value in MACHINE.items()} | {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # Without the user's configuration git would not read a tree of another owner, which a container mounts.
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
}


@dataclass(frozen=True)
class Stage:
    """Where the demo plays: a bare origin, a clone of it, a registry of models, and a service."""

    root: Path
    console: Console  # for the story

    @property
    def origin(self) -> Path:
        """The bare repository that is pushed to."""
        return self.root / "origin.git"

    @property
    def clone(self) -> Path:
        """The checkout in which the commands run."""
        return self.root / "clone"

    @property
    def result(self) -> Path:
        """What came out, and what `--check` compares with."""
        return self.root / "result.json"

    @property
    def address(self) -> Path:
        """Where the service of the demo listens."""
        return self.root / "service"

    @property
    def secrets(self) -> Path:
        """What a cluster would mount as a Secret: where the ledger is, the key of the ids, the credential."""
        return self.root / "secrets"

    @property
    def tracking_uri(self) -> str:
        """The registry of models."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    def environment(self) -> dict[str, str]:
        """What commands in the clone see: the clone's own code, and this environment's tools."""
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        code = {"PYTHONPATH": str(self.clone / "src"), "PATH": tools, "MLFLOW_TRACKING_URI": self.tracking_uri}
        pod = {
            "LEDGER": str(self.secrets),
            "SPOOL": str(self.root / "spool"),
            "ENVIRONMENT": "production",
            "POD": "demo",
        }
        return os.environ | code | {f"SLIPWAY_{name}": value for name, value in pod.items()}


def demo(
    *,
    serve: Annotated[bool, typer.Option("--serve", help="At the end, keep the service until Ctrl-C.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only hold a finished demo against its result.json.")] = False,
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Tell the story on real data: from a data change to a served release, in a throw-away clone under build/demo/.

    Your tree is not touched, and what no commit holds is not seen.

    Examples:
    ```sh
    slipway demo
    slipway demo --serve
    slipway demo --check      # in another terminal, while it serves
    ```
    """
    stage = Stage((root / FOLDER).resolve(), progress if as_json else console)
    _leave_the_users_git()
    if check:
        emit(
            _check(stage), f"[green]holds[/] Git, MLflow and the service say what {stage.result} says", as_json=as_json
        )
        return
    source = Repository(root.resolve())
    if not (source.root / ".git").exists() or source.commit_of("HEAD") is None:
        raise Broken(f"{source.root} is not the root of a clone with a commit", "Run it there, or name it: --root")
    with _alone(stage):
        _play(stage, source, keep=serve)
    if as_json:
        sys.stdout.write(stage.result.read_text(encoding="utf-8"))


@contextmanager
def _alone(stage: Stage) -> Iterator[None]:
    """Hold the folder while the demo plays: a second one would make it anew under the first."""
    stage.root.parent.mkdir(parents=True, exist_ok=True)
    with stage.root.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Broken(f"a demo is playing in {stage.root}", "Wait until it ends, or stop it.") from None
        yield


def _leave_the_users_git() -> None:
    """Play with no signing, hooks or ignored files of the user, nor in the repository whose hook has started us."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    os.environ.update(GIT)


def _check(stage: Stage) -> DemoResult:
    from slipway.commands.demo_facts import collect

    told = files.read_record(DemoResult, stage.result)
    found = collect(stage.clone, stage.tracking_uri, files.read_bytes(stage.address).decode(), stage.secrets)
    if different := story.differences(told, found):
        raise Rejected(f"the demo is not what result.json says: {'; '.join(different)}", "Run `make demo` again.")
    return found


def _play(stage: Stage, source: Repository, *, keep: bool) -> None:
    from slipway.commands.demo_facts import collect

    stage.console.print("[bold]Will a flight arrive 15 minutes late?[/] New York, 2013, scene 1: the first release.")
    stage.console.print(f"[dim]in {stage.root}; the commands run in its clone/[/]\n", soft_wrap=True)
    if dirty := source.dirty():
        stage.console.print(f"[yellow]not seen here, because no commit holds it:[/] {', '.join(dirty[:3])}\n")
    started = time.monotonic()
    _set_up(stage, source)
    for step in story.STEPS:
        _step(stage, step)
        _commit_lock(stage)
    version = releases.newest(shelf.existing(stage.clone))
    with _service(stage, str(version)) as address:
        _step(stage, story.promotion(str(version)))
        with progress.status("asking the release about ten flights of the next month, and telling it what happened"):
            result = collect(stage.clone, stage.tracking_uri, address, stage.secrets)
        files.write_record(stage.result, result)
        stage.console.print(_table(result.predictions))
        stage.console.print("[dim]It warns from one in six on: a missed delay costs as much as five false alarms.[/]")
        stage.console.print(story.chain(result.predictions[0], result), soft_wrap=True)
        took = f"{time.monotonic() - started:.0f} s"
        stage.console.print(
            f"\n[bold]{took}[/] {stage.result} holds it, asked of Git, MLflow, the service and the ledger.",
            soft_wrap=True,
        )
        if keep:
            stage.console.print(f"Serving {version} at {address} until Ctrl-C.")
            until_ended(address)
            stage.console.print("stopped")


def _set_up(stage: Stage, source: Repository) -> None:
    shutil.rmtree(stage.root, ignore_errors=True)
    stage.root.mkdir(parents=True)
    source.git("clone", "--quiet", "--bare", "--no-hardlinks", str(source.root), str(stage.origin))
    origin = Repository(stage.origin)
    origin.git("update-ref", "refs/heads/main", source.head())
    origin.git("symbolic-ref", "HEAD", "refs/heads/main")
    origin.git("clone", "--quiet", str(stage.origin), str(stage.clone))
    (stage.root / "spool").mkdir()
    secret = {"url": f"sqlite:///{stage.root / 'ledger.db'}", "keys": token_hex(32), "credentials": token_hex(32)}
    files.write_texts(stage.secrets, secret)
    stage.secrets.chmod(0o700)


def _step(stage: Stage, step: story.Step) -> None:
    """Run one command in the clone; what it prints is shown only when it fails."""
    started = time.monotonic()
    with progress.status(f"{step.title}  [dim]{step.command}[/]"):
        code, output = _run(stage, step.command.split(" "))
    if code:
        stage.console.print(output, markup=False)
        raise Broken(f"`{step.command}` ended with exit code {code} in {stage.clone}", "What it printed stands above.")
    _done(step, started, stage.console)


def _done(step: story.Step, started: float, console: Console) -> None:
    took = f"{time.monotonic() - started:.1f} s"
    line = f"[green]✓[/] {step.title:<36} [cyan]{took:>7}[/]  [bold]{step.command}[/]\n  [dim]{step.look}[/]"
    console.print(line, soft_wrap=True)


def _run(stage: Stage, command: list[str]) -> tuple[int, str]:
    """Run a command to its end; an interrupt ends it, and what it has started, before it is passed on."""
    with subprocess.Popen(
        command,
        cwd=stage.clone,
        env=stage.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it works in a clone that the next demo makes anew
            raise
    return process.returncode, output


def _commit_lock(stage: Stage) -> None:
    """Commit what the pipeline computed, as the machine does in CI, when it is not what the commit says."""
    clone = Repository(stage.clone)
    if changed := clone.dirty():
        clone.publish(changed, "Record what the pipeline computed")


@contextmanager
def _service(stage: Stage, version: str) -> Iterator[str]:
    """Serve a release by `slipway serve`, as a process of its own that ends with the block."""
    started, port = time.monotonic(), _free_port()
    address, log = f"http://127.0.0.1:{port}", stage.root / "service.log"
    command = ["slipway", "serve", "--release", version, "--port", str(port)]
    with (
        log.open("wb") as stream,
        # In a session of its own Ctrl-C does not reach it beside our SIGTERM, while it ends its service.
        subprocess.Popen(
            command, cwd=stage.clone, env=stage.environment(), stdout=stream, stderr=stream, start_new_session=True
        ) as process,
    ):
        try:
            with progress.status("starting the service"):
                _wait(process, address, log)
            stage.address.write_text(address, encoding="utf-8")
            _done(
                story.Step("serve exactly that release", " ".join(command), f"{address}, build/demo/service.log"),
                started,
                stage.console,
            )
            yield address
        finally:
            process.terminate()


def _wait(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    import requests

    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(requests.RequestException):  # not there, or heard by a socket whose worker has not started yet
            if requests.get(f"{address}/readyz", timeout=2).ok:
                return
        time.sleep(0.2)
    raise Broken(f"the service does not get ready at {address}: {log.read_text()[-1500:]}", f"All of it: {log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _table(predictions: tuple[Asked, ...]) -> Table:
    table = Table(
        title="\nTen flights of the next month, asked of the release, and what happened",
        title_justify="left",
    )
    for heading in ("date", "time", "flight", "route"):
        table.add_column(heading)
    for heading in ("P(late)", "warns", "arrived"):
        table.add_column(heading, justify="right")
    for ask in predictions:
        right = "green" if ask.called_late == (ask.arr_delay >= TARGET_MINUTES) else "red"
        table.add_row(
            ask.date,
            f"{ask.sched_dep_time // 100:02d}:{ask.sched_dep_time % 100:02d}",
            ask.flight,
            f"{ask.origin}-{ask.dest}",
            f"{ask.probability:.2f}",
            f"[{right}]{'yes' if ask.called_late else 'no'}[/]",
            f"{ask.arr_delay:+d} min",
        )
    return table
