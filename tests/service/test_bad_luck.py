"""What must not stop, or lie, whatever happens to the ledger's file and to the lines of the spool."""

import asyncio
import json
import logging
import math
import os
import threading
import time
from pathlib import Path

import pytest

import shipper
from slipway import identity
from slipway.adapters import spool
from slipway.adapters.ledger import Ledger
from slipway.adapters.spool import Reader
from slipway.identity import Signer

from .test_application import JSON_HEADER, body, call
from .test_ledger import CREDENTIAL, KEY, configured, eventually, opened, signed

LINE = b'{"answer":{"id":"%b","late":true},"request":%b}\n'


def test_a_truth_is_not_stored_in_a_ledger_that_is_gone(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is removed under a running service: the next truth is refused, the one after it is in the new file."""
    for name, value in configured(tmp_path).items():
        monkeypatch.setenv(name, value)
    application, headers = opened(built), [JSON_HEADER, (b"authorization", f"Bearer {CREDENTIAL}".encode())]

    def tell(id_: str) -> int:
        content = json.dumps({"id": id_, "late": True}).encode()
        return asyncio.run(call(application, body(content), path="/feedback", headers=headers))[0]

    assert tell(signed()) == 200
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    id_ = signed()
    assert [tell(id_), tell(id_)] == [503, 200]
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with ledger.transaction() as connection:
        assert connection.exec_driver_sql("SELECT id FROM outcomes").scalars().all() == [id_]


def test_one_bad_line_keeps_no_other_from_the_ledger(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A score that is no number, which no database takes, and bytes that are no text: left out, and told."""
    writer, ledger = spool.Writer(tmp_path, "a"), Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    process = Signer(KEY.encode(), "staging", "1.2.3", "6d4cf56db6", bytes(identity.NONCE_BYTES))
    good, no_number = (process.ids(time.time_ns(), [score])[0].encode() for score in (0.5, math.nan))
    for line in (LINE % (no_number, b"{}"), LINE % (good, b'"\xff"'), LINE % (good, b"{}")):
        writer.append(line)
    with caplog.at_level(logging.ERROR):
        assert shipper.ship(Reader(tmp_path), ledger) == 1
    assert len(caplog.records) == 2


def test_the_shipper_goes_on_in_a_new_ledger(tmp_path: Path) -> None:
    """The file of its ledger is removed: what comes then waits, and is in the file that it makes anew."""
    (tmp_path / "spool").mkdir()
    writer, path = spool.Writer(tmp_path / "spool", "a"), tmp_path / "ledger.db"
    told_to_end, ending = os.pipe()
    running = threading.Thread(target=shipper._run, args=(f"sqlite:///{path}", tmp_path / "spool", told_to_end))
    running.start()
    try:
        first, second = signed(), signed()
        for id_ in (first, second):
            writer.append(LINE % (id_.encode(), b"{}"))
            assert eventually(lambda id_=id_: path.exists() and id_ in Ledger(f"sqlite:///{path}").truths([id_]))
            if id_ == first:
                for file in tmp_path.glob("ledger.db*"):
                    file.unlink()
    finally:
        os.write(ending, b".")
        running.join()
    assert Ledger(f"sqlite:///{path}").truths([first, second]) == {second: None}
