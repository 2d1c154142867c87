"""The processes of a rehearsal: a service and its shipper for each arm, and the judge. None outlives the block."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import msgspec
import yaml

from slipway.adapters import bento, files, processes
from slipway.adapters.processes import Kept
from slipway.canary.records import Arm
from slipway.canary.settings import Settings
from slipway.commands.rehearse_play import Side
from slipway.errors import Broken
from slipway.rollout.scaled import Probe

STARTS = 180.0  # seconds: a stable, or a judge, that is not ready by then does not come
BACKOFF = 10.0  # seconds, the kubelet's first
DRAIN = 10.0  # seconds for the last predictions to reach the ledger
JUDGE = Probe(path="/healthz", period=1.0, timeout=5.0, failures=3)


class Pods:
    """Starts what is asked for, and knows where it is."""

    def __init__(self, folder: Path, ledger: str | None, mark: dict[str, str], speed: float) -> None:
        self.credential = token_hex(32)
        self.arms: dict[Arm, Kept] = {}
        self._keys, self._mark, self._folder = token_hex(32), mark, folder
        self._ledger, self._backoff = ledger or f"sqlite:///{folder / 'ledger.db'}", BACKOFF / speed
        self._judge: Kept | str | None = None
        self._shippers: list[Kept] = []

    def serve(self, arm: Arm, side: Side, environment: str, pod: str, probe: Probe) -> None:
        """Start the service of an arm, and its shipper."""
        here = self._folder / arm
        secrets = {"url": self._ledger, "keys": self._keys, "credentials": self.credential}
        files.write_texts(here / "secrets", secrets)
        (here / "secrets").chmod(0o700)
        (here / "spool").mkdir()
        told = {"LEDGER": str(here / "secrets"), "SPOOL": str(here / "spool"), "ENVIRONMENT": environment, "POD": pod}
        told |= {"BENTO": side.bento_digest} if side.bento_digest else {}
        variables = bento.home_environment(here / "home") | {f"SLIPWAY_{key}": told[key] for key in told} | self._mark
        self._shippers.append(
            Kept(lambda _: bento.ship_command(side.bento), variables, here / "shipper.log", None, self._backoff)
        )
        self.arms[arm] = Kept(
            lambda port: bento.serve_command(side.bento, port), variables, here / "log", probe, self._backoff
        )

    def judge(self, settings: Settings, running: str | None) -> None:
        """Start the judge, unless one is named that runs already."""
        if running is not None:
            self._judge = running
            return
        policy, ledger = self._folder / "judge.yaml", self._folder / "ledger-url"
        files.write_text(policy, yaml.safe_dump(msgspec.to_builtins(settings)))
        files.write_text(ledger, self._ledger)
        command = [
            *(sys.executable, "-m", "slipway", "judge", "serve", "--policy", str(policy)),
            *("--rehearsal", str(self._folder), "--ledger", str(ledger)),
        ]
        self._judge = Kept(
            lambda port: [*command, "--port", str(port)],
            os.environ | self._mark,
            self._folder / "judge.log",
            JUDGE,
            self._backoff,
        )

    def judging(self) -> str | None:
        """Where the judge is asked; None while there is none."""
        return self._judge.address if isinstance(self._judge, Kept) else self._judge

    def wait(self) -> None:
        """Wait until stable and the judge are ready.

        Raises:
            Broken: one of them is not in time.

        """
        end = time.monotonic() + STARTS
        for name, kept in (("stable", self.arms.get("stable")), ("the judge", self._judge)):
            while isinstance(kept, Kept) and not kept.ready:
                if time.monotonic() > end:
                    log = kept.log.read_text(errors="replace")[-1500:]
                    raise Broken(f"{name} does not get ready: {log}", f"All of it is in {kept.log}.")
                time.sleep(processes.POLL)

    def stop(self) -> None:
        """End the services, then the shippers, which take the last predictions to the ledger; then the judge."""
        judges = [self._judge] if isinstance(self._judge, Kept) else []
        kinds: tuple[Sequence[Kept], ...] = (tuple(self.arms.values()), self._shippers, judges)
        for kind in kinds:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda one: one.stop(DRAIN), kind))


@contextmanager
def pods(folder: Path, ledger: str | None, speed: float) -> Iterator[Pods]:
    """Yield what starts processes; when the block ends, by whatever, none of them is alive."""
    with processes.family() as mark:
        found = Pods(folder, ledger, mark, speed)
        try:
            yield found
        finally:
            found.stop()
