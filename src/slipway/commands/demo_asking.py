"""Ten flights are asked of a served release, as any client asks, and it is told what happened."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests
from rich.table import Table

from slipway.adapters import files, processes
from slipway.adapters.ledger import Ledger
from slipway.commands import demo_facts, progress
from slipway.commands.demo_place import POD, Place
from slipway.demo import Asked, Step
from slipway.errors import Broken, Rejected
from slipway.schema import TARGET

READY_SECONDS = 90
SHIPPED_SECONDS = 30
LOG = "service.log"


@contextmanager
def service(place: Place, version: str, pod: str = POD) -> Iterator[str]:
    """Serve a release by `slipway serve`, as a process of its own that ends with the block; yields its address."""
    started, port = time.monotonic(), processes.free_port()
    address, command = f"http://127.0.0.1:{port}", f"slipway serve --release {version} --port {port}"
    with place.background(command, place.clone, LOG, SLIPWAY_POD=pod) as process:
        with progress.status("starting the service"):
            deadline = started + READY_SECONDS
            while not _ready(address):
                if process.poll() is not None or time.monotonic() > deadline:
                    log = place.root / LOG
                    said = log.read_text(errors="replace")[-1500:]
                    raise Broken(f"the service does not get ready at {address}: {said}", f"All of it: {log}")
                time.sleep(0.2)
        files.write_text(place.root / "service", address)
        place.done(Step("serve exactly that release", command, f"{address}, build/demo/{LOG}"), started)
        yield address


def ask(place: Place, address: str) -> list[Asked]:
    """Ask about ten flights of the month that follows the data, tell what happened, and see both in the ledger."""
    rows = demo_facts.rows(place.clone)
    answers = _post(f"{address}/predict", [demo_facts.body(row) for row in rows])
    told = [{"id": answer["id"], "late": row["arr_delay"] >= TARGET} for row, answer in zip(rows, answers, strict=True)]
    credential = files.read_bytes(place.secrets / "credentials").decode().strip()
    _post(f"{address}/feedback", told, authorization=f"Bearer {credential}")
    ledger, deadline = Ledger(place.ledger, read_only=True), time.monotonic() + SHIPPED_SECONDS
    try:
        while len(found := demo_facts.asked(place.clone, ledger)) < len(rows):  # the shipper brings them
            if time.monotonic() > deadline:
                raise Rejected(f"the ledger knows the truth of {len(found)} of {len(rows)} predictions", "Read its log")
            time.sleep(0.1)
    finally:
        ledger.close()
    return found


def table(predictions: list[Asked]) -> Table:
    """What was asked, answered, and true."""
    made = Table(
        title="\nTen flights of the next month, asked of the release, and what happened",
        title_justify="left",
    )
    for heading in ("date", "time", "flight", "route"):
        made.add_column(heading)
    for heading in ("P(late)", "warns", "arrived"):
        made.add_column(heading, justify="right")
    for one in predictions:
        right = "green" if one.called_late == one.truth else "red"
        made.add_row(
            one.date,
            f"{one.sched_dep_time // 100:02d}:{one.sched_dep_time % 100:02d}",
            one.flight,
            f"{one.origin}-{one.dest}",
            f"{one.probability:.2f}",
            f"[{right}]{'yes' if one.called_late else 'no'}[/]",
            f"{one.arr_delay:+d} min",
        )
    return made


def _ready(address: str) -> bool:
    with suppress(requests.RequestException):  # not there, or heard by a socket whose worker has not started yet
        return requests.get(f"{address}/readyz", timeout=2).ok
    return False


def _post(url: str, body: object, **headers: str) -> Any:  # noqa: ANN401  # JSON
    try:
        with requests.Session() as session:
            answer = session.post(url, json=body, headers=headers, timeout=10)
            answer.raise_for_status()
            return answer.json()
    except requests.RequestException as error:
        raise Rejected(f"the service does not answer {url}: {error}", "Run `make demo` again.") from error
