"""Real clients of a cluster: Locust, in a process of its own, and what they have seen.

It is never imported here: it patches ssl, threads and sockets of the process that it is in.
"""

import json
import os
import subprocess
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from slipway.adapters import processes
from slipway.errors import Broken

LOCUSTFILE = Path(__file__).parent / "locustfile.py"
EACH = 5.0  # requests a second of one traveller: answers that take less than its inverse do not slow the others
BEGINS_SECONDS = 60.0
LOOK = 0.1


@dataclass(frozen=True)
class Seen:
    """What clients have seen in a window of time. A refusal has no id, so no release and no pod."""

    requests: int
    failures: dict[int, int]  # by status: 400 or more; 0 where nobody answered
    by_version: dict[str, int]
    by_pod: dict[str, int]  # by the hash of its template
    truths: int  # that were taken

    @property
    def failed(self) -> int:
        """All failures."""
        return sum(self.failures.values())

    def share(self, pod: str) -> float:
        """Which part of the predictions a template's pods have made."""
        return self.by_pod.get(pod, 0) / max(1, sum(self.by_pod.values()))


class _Answer(NamedTuple):
    status: int
    version: str
    pod: str


class Traffic:
    """Clients that ask until the block ends."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, said: Path) -> None:
        self._process, self._log, self._said, self._read = process, log, said, 0
        self._times, self._answers = list[float](), list[_Answer]()
        self._told_times, self._told = list[float](), list[int]()

    @classmethod
    @contextmanager
    def start(
        cls,
        folder: Path,
        *,
        host: str,
        header: str,
        credential: str,
        rate: float = 150.0,
        truth_delay: float = 2.0,
        seed: int = 0,
    ) -> Iterator["Traffic"]:
        """Ask the service that `host` has under the name `header`; the block begins with the first answer.

        The folder holds traffic.log, as the locustfile says, and locust.log, what Locust has to say.

        Raises:
            Broken: Locust does not begin, or has ended before the block.

        """
        folder.mkdir(parents=True, exist_ok=True)
        log, said, travellers = folder / "traffic.log", folder / "locust.log", max(1, round(rate / EACH))
        log.write_text("")
        told = {"log": str(log.resolve()), "parent": os.getpid(), "travellers": travellers, "header": header}
        told |= {"credential": credential, "rate": rate, "truth_delay": truth_delay, "seed": seed}
        users = str(travellers + 1)  # one tells the truth
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
        with said.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--loglevel", "WARNING", "--users", users, "--spawn-rate", users, "--host", host],
                cwd=folder,  # it would take settings from where we are
                env=os.environ | {"SLIPWAY_TRAFFIC": json.dumps(told)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        traffic = cls(process, log, said)
        try:
            traffic.wait_for(1, 0.0, BEGINS_SECONDS)
            yield traffic
            traffic.check()
        finally:
            processes.end(process)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def mark(self) -> float:
        """Now, as the log counts time."""
        return time.time()

    def check(self) -> None:
        """See that it still asks.

        Raises:
            Broken: it has ended.

        """
        if self._process.poll() is not None:
            tail = self._said.read_text(errors="replace")[-2000:]
            raise Broken(f"the clients have ended with exit code {self._process.returncode}: {tail}", str(self._said))

    def seen(self, since: float, until: float | None = None) -> Seen:
        """Count what was answered from `since` to before `until`, by default until now; also after the block."""
        self._take()

        def window(times: list[float]) -> slice:
            return slice(bisect_left(times, since), None if until is None else bisect_left(times, until))

        answers = self._answers[window(self._times)]
        return Seen(
            requests=len(answers),
            failures=dict(Counter(one.status for one in answers if not 200 <= one.status < 400)),
            by_version=dict(Counter(one.version for one in answers if one.version != "-")),
            by_pod=dict(Counter(one.pod for one in answers if one.pod != "-")),
            truths=sum(self._told[window(self._told_times)]),
        )

    def silence(self, since: float) -> float:
        """Seconds from the first request that failed since then to the last one."""
        self._take()
        answers = zip(self._times, self._answers, strict=True)
        failed = [at for at, one in answers if at >= since and not 200 <= one.status < 400]
        return failed[-1] - failed[0] if failed else 0.0

    def ids(self, since: float, until: float) -> set[str]:
        """The ids of the predictions that were answered from `since` to before `until`."""
        text = self._log.read_text()
        lines = (line.split() for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("p "))
        return {made for _, at, status, *_, made in lines if status == "200" and since <= float(at) < until} - {"-"}

    def wait_for(self, requests: int, since: float, seconds: float = 60.0) -> Seen:
        """Wait until so many were answered since then.

        Raises:
            Broken: they are not in time, or Locust has ended.

        """
        deadline = time.monotonic() + seconds
        while (seen := self.seen(since)).requests < requests:
            self.check()
            if time.monotonic() > deadline:
                raise Broken(f"{seen.requests} requests instead of {requests} in {seconds:g} s", str(self._said))
            time.sleep(LOOK)
        return seen

    def _take(self) -> None:
        """Read the lines that are new."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]  # the last line may be half written
        self._read += len(whole)
        for line in whole.decode().splitlines():
            kind, at, status, *rest = line.split()
            if kind == "p":
                self._times.append(float(at))
                self._answers.append(_Answer(int(status), rest[1], rest[2]))
            else:
                self._told_times.append(float(at))
                self._told.append(int(rest[1]))
