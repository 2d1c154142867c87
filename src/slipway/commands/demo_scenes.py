"""The scenes of the demo: what arrives, who changes what, and how each release ends."""

import base64
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from secrets import token_hex

from slipway import attestation, releases
from slipway import demo as story
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.changes import State
from slipway.commands import agreed, demo_facts, progress, shelf
from slipway.commands.demo_place import SIGNER, Place
from slipway.demo import Step
from slipway.errors import Broken
from slipway.records import GateDecision
from slipway.releases import PRODUCTION, kinds
from slipway.rollout.records import Rehearsed

RECORDED_SECONDS = 120
TOKEN = "relay-token"  # noqa: S105  # the name of a file


@dataclass(frozen=True)
class Scenes:
    """The scenes, in a place; `seed` is that of the rehearsals."""

    place: Place
    seed: int

    def first_release(self) -> str:
        """Release the first model; returns its version."""
        for step in (story.PULL, story.TRAIN):
            self.place.play(step)
        self._commit_lock()
        for step in (story.FIRST_GATE, *story.SHIP):
            self.place.play(step)
        version = self._newest()
        self.place.play(story.promotion(version))
        return version

    def new_data(self) -> str:
        """More months arrive, and a better model is promoted; returns its version."""
        arrive(self.place.clone, story.MONTHS[:2], until=story.HALF)
        for step in (*story.DATA, story.TRAIN):
            self.place.play(step)
        self._commit_lock()
        self._release()
        return self._canary("canary, beside the champion", "promoted")

    def leak(self) -> str:
        """What is known only later becomes a feature, every gate lets it pass, and the truth does not."""
        plant(self.place.clone)
        for step in story.LEAK:
            self.place.play(step)
        self._release()
        version = self._canary("canary: what only the truth can show", "reverted")
        shutil.copy(self.place.rehearsal / "report.html", self.place.root / "leak.html")
        return version

    def again(self) -> None:
        """The same recipe on new data is another model, and is refused all the same."""
        switch, *following = story.AGAIN
        self.place.play(switch)
        arrive(self.place.clone, story.MONTHS[1:])
        for step in following:
            self.place.play(step)
        decided = files.read_record(GateDecision, self.place.clone / "build/gate.json")
        red = [check.name for check in decided.checks if check.passed is False]
        if red != ["quarantine"]:
            raise Broken(f"the gate refused for {', '.join(red) or 'nothing'}", "Only the quarantine should have.")
        (detail,) = (check.detail for check in decided.checks if check.name == "quarantine")
        self.place.say(f"  [yellow]{decided.model_digest[:19]}[/] {detail}")

    def merge(self, reverted: str) -> None:
        """The pull request that the relay has prepared is merged: the champion's data and recipe are back."""
        for step in (*story.merge(reverted), story.TRAIN):
            self.place.play(step)
        self._commit_lock()

    def twin(self) -> None:
        """The same data and recipe are the same model, which there is nothing to hold against."""
        self._release()
        self._canary("canary: the champion's twin", "promoted")

    def rollback(self, version: str) -> None:
        """A person goes back to the first release."""
        self.place.play(story.rollback(version))
        self._rehearse("the way back, beside what is left", promoted=True)
        seen = files.read_record(Rehearsed, self.place.rehearsal / "result.json").traffic.values()
        if failed := sum(arm.errors for arm in seen):
            raise Broken(f"{failed} requests failed on the way back", f"Look into {self.place.rehearsal}.")
        self._tell("restored")
        self.place.say(f"  none of {sum(arm.requests for arm in seen):,} requests failed")

    def tampered(self, stable: str, left: str) -> None:
        """Somebody who may write to Git and to build/ changes the signed statements: who looks at them refuses."""
        place = replace(self.place, root=self.place.root / "tampered")
        shutil.copytree(self.place.clone, place.clone, symlinks=True)
        shutil.copytree(self.place.origin, place.origin)
        shutil.copy(self.place.root / "mlflow.db", place.root)
        place.sigstore.mkdir()
        shutil.copy(self.place.sigstore / SIGNER, place.sigstore)
        repository = Repository(place.clone)
        repository.git("remote", "set-url", "origin", str(place.origin))
        for path in (
            place.clone / "build/attestation.sigstore.json",
            *place.clone.glob("attestations/*.sigstore.json"),
        ):
            _lie(path)
        repository.publish(["attestations"], "Change what was signed")
        for step in story.refusals(stable, left):
            said = " ".join(place.play(step).split())
            if "is not verified: its signature is refused" not in said:
                raise Broken(f"`{step.command}` refused for another reason: {said}", f"Look into {place.clone}.")
        place.say("  each says of the release: it is not verified, its signature is refused")

    @contextmanager
    def sigstore(self) -> Iterator[None]:
        """Run the Sigstore, and the platform that gives tokens, in place of GitHub and the public ones."""
        command, started = (
            f"python -m slipway.services.loopback_sigstore --folder {self.place.sigstore}",
            time.monotonic(),
        )
        with self.place.background(command, self.place.clone, "sigstore.log") as process:
            while not (self.place.sigstore / SIGNER).exists():
                if process.poll() is not None or time.monotonic() - started > RECORDED_SECONDS:
                    raise Broken("the Sigstore of the demo does not start", f"Read {self.place.root / 'sigstore.log'}.")
                time.sleep(0.05)
            self.place.say(
                "[dim]Signed with a Sigstore of this machine: it shows the way, and proves not who signed.[/]"
            )
            yield

    @contextmanager
    def relay(self) -> Iterator[None]:
        """Run the relay beside what follows: in a clone of its own, with the rehearsals as its cluster."""
        files.write_text(self.place.root / TOKEN, token_hex(32))
        folder, state = self.place.rehearsal.parent, self.place.root / "relay.db"
        command = f"slipway relay serve --token-file ../{TOKEN} --rehearsal {folder} --state {state} --poll 1 --port 0"
        with self.place.background(command, self.place.relay, "relay.log"):
            yield

    def _release(self) -> None:
        for step in (story.GATE, *story.SHIP):
            self.place.play(step)

    def _canary(self, title: str, verdict: str) -> str:
        """Play the canary of the release in flight, and wait until the relay has Git know how it ended."""
        version = self._newest()
        self._rehearse(title, promoted=verdict == "promoted")
        ended = files.read_record(Rehearsed, self.place.rehearsal / "result.json")
        if ended.outcome == "inconclusive":
            raise Broken(f"the canary of {version} ended without a verdict: {ended.message}", "Play it again.")
        self._await(version, verdict)
        self._tell(verdict)
        return version

    def _rehearse(self, title: str, *, promoted: bool) -> None:
        self.place.play(story.rehearsal(title, self.seed, promoted=promoted))

    def _await(self, version: str, verdict: str) -> None:
        """Nobody types it: Git, the branch of the pull request and the registry come by themselves, in that order."""
        started, repository = time.monotonic(), Repository(self.place.clone)
        step = Step("the relay has Git know it", "git pull --quiet --ff-only origin main", "build/demo/relay.log")
        with progress.status(f"{step.title}  [dim]nobody types promote or revert[/]"):
            while True:
                repository.fetch()
                main = agreed.newest(repository).state()
                said = kinds(main.releases[version], PRODUCTION)[-1:] == [verdict]
                if said and (self._taken_back(repository, version) if verdict == "reverted" else self._crowned(main)):
                    break
                if time.monotonic() - started > RECORDED_SECONDS:
                    raise Broken(
                        f"after {RECORDED_SECONDS} s main does not say that {version} was {verdict}",
                        f"Read {self.place.root / 'relay.log'}.",
                    )
                time.sleep(0.5)
        self.place.play(step, since=started)

    def _taken_back(self, repository: Repository, version: str) -> bool:
        """Whether what comes after a revert is there: its branch, and last the registry without a challenger."""
        from slipway.adapters import mlflow

        branch = f"refs/heads/slipway/revert-{version}"
        challenger = mlflow.by_alias(self.place.tracking_uri, mlflow.CHALLENGER)
        return challenger is None and branch in repository.git("ls-remote", "origin")

    def _crowned(self, main: State) -> bool:
        """Whether the registry's champion is that of Git."""
        from slipway.adapters import mlflow

        crowned = mlflow.champion(self.place.tracking_uri)
        return crowned is not None and crowned.model_digest == releases.champion(main.releases, main.stable)

    def _tell(self, verdict: str) -> None:
        scene = demo_facts.collect(self.place).scenes[-1]
        if scene.verdict != verdict:
            raise Broken(f"{scene.release} was {scene.verdict}, not {verdict}", "`slipway history` says more.")
        self.place.say(story.told(scene))

    def _newest(self) -> str:
        return str(releases.newest(shelf.existing(self.place.clone)))

    def _commit_lock(self) -> None:
        """Commit what the pipeline computed, as the machine does in CI, when it is not what the commit says."""
        clone = Repository(self.place.clone)
        if changed := clone.dirty():
            clone.publish(changed, "Record what the pipeline computed")


def arrive(root: Path, months: tuple[str, ...], until: str = "9999-12-31") -> None:
    """Bring months from replay/ to data/, the days up to `until`; the same days are the same bytes."""
    import polars as pl

    for kind in ("flights", "weather"):
        for month in months:
            frame = pl.read_parquet(root / "replay" / kind / f"{month}.parquet")
            there = frame.filter(pl.col("date") <= date.fromisoformat(until))
            there.write_parquet(
                root / "data" / kind / f"{month}.parquet",
                compression="zstd",
                compression_level=19,
                statistics=False,
            )


def plant(root: Path) -> None:
    """Have a colleague make the delay at departure a feature, and say that it is known before."""
    for name, before, after in story.PLANTED:
        path = root / name
        text = path.read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise Broken(
                f"{name} has changed: the leak has to be planted elsewhere", "See PLANTED in src/slipway/demo.py."
            )
        path.write_text(text.replace(before, after), encoding="utf-8")


def _lie(path: Path) -> None:
    """Have a signed statement say that another model was released."""
    bundle = json.loads(path.read_text(encoding="utf-8"))
    envelope = bundle["dsseEnvelope"]
    said = json.loads(base64.b64decode(envelope["payload"]))
    model = next(one for one in said["subject"] if one["name"] == attestation.MODEL)
    model["digest"]["sha256"] = 64 * "0"
    envelope["payload"] = base64.b64encode(json.dumps(said).encode()).decode()
    files.write_text(path, json.dumps(bundle))
