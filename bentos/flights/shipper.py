"""The shipper: takes predictions from the spool to the ledger, in a process of its own, so that none waits for SQL.

It stands beside the service, which writes the spool. While the database does not answer, predictions wait on the disk.
When it is told to end it ships what is there: it must end after the service.
"""

import logging
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

import settings
from slipway import identity
from slipway.adapters.ledger import Ledger
from slipway.adapters.spool import Reader
from slipway.errors import Broken, SlipwayError
from slipway.predictions import Prediction

PAUSE_SECONDS = 0.2
BACKOFF_SECONDS = (0.5, 30.0)  # after a failure, doubled up to the second
DRAIN_SECONDS = 40.0  # of the pod's terminationGracePeriodSeconds, which is 60
ROWS = 2000  # of a transaction
log = logging.getLogger("slipway.shipper")


class Answer(msgspec.Struct):
    """What the shipper reads of an answer."""

    id: str
    late: bool


class Call(msgspec.Struct):
    """A line of the spool: the answer, and the request as it was sent."""

    answer: Answer | list[Answer]
    request: msgspec.Raw


_call = msgspec.json.Decoder(Call).decode
_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode


def predictions(line: bytes) -> list[Prediction]:
    """Make the predictions of one call, one for each row.

    Raises:
        Broken: the service did not write this line.

    """
    try:
        call = _call(line.decode())
        answers, rows = (
            (call.answer, _rows(call.request)) if isinstance(call.answer, list) else ([call.answer], [call.request])
        )
        return [
            Prediction(origin=identity.read(answer.id), features=row, decision=answer.late)
            for answer, row in zip(answers, rows, strict=True)
        ]
    except (ValueError, identity.Refused) as error:
        raise Broken(f"a line of the spool cannot be read: {error}", "Look at the disk.") from error


def ship(reader: Reader, ledger: Ledger) -> int:
    """Ship all that is there now; returns how many predictions were not in the ledger yet.

    Raises:
        Broken: the ledger did not take them; they stay in the spool.

    """
    return sum(ledger.add(rows) for lines in reader.batches() for rows in _transactions(lines))


def _transactions(lines: list[bytes]) -> Iterator[list[Prediction]]:
    rows: list[Prediction] = []
    for line in lines:
        try:
            rows += predictions(line)
        except Broken as error:  # a disk that lies; to stop here would keep all that follows from the ledger
            log.error("dropped: %s", error.what)  # noqa: TRY400  # a sentence
        if len(rows) >= ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def main() -> int:
    """Ship until told to end; then what is left. Returns 0 if nothing is left."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    told_to_end, ending = os.pipe()  # a signal that comes between two looks is not missed
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(ending, b"."))
    try:
        url, spool = settings.shipping()
    except SlipwayError as error:
        log.error("%s", error.what)  # noqa: TRY400  # a sentence
        return error.exit_code
    return _run(url, spool, told_to_end)


def _run(url: str, spool: Path, told_to_end: int) -> int:
    reader, ledger, pause, last, end = Reader(spool), None, BACKOFF_SECONDS[0], False, float("inf")
    while time.monotonic() < end:
        if not last and select.select([told_to_end], [], [], 0)[0]:  # asked before shipping: nothing follows it
            last, end = True, time.monotonic() + DRAIN_SECONDS
        try:
            ledger = ledger or Ledger(url)
            ship(reader, ledger)
        except Broken as error:
            log.warning("%s: predictions wait in the spool, next try in %g s", error.what, pause)
            ledger = None  # opened anew: what was removed is made again
            wait, pause = pause, min(pause * 2, BACKOFF_SECONDS[1])
        else:
            if last:
                return 0
            wait, pause = PAUSE_SECONDS, BACKOFF_SECONDS[0]
        if last:
            time.sleep(BACKOFF_SECONDS[0])
        else:
            select.select([told_to_end], [], [], wait)
    log.error("ended with predictions left in %s", spool)
    return 2


if __name__ == "__main__":
    sys.exit(main())
