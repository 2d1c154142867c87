"""What a person names and is not what it should be: broken, in a sentence, and never a traceback."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT
from tests.judge import worlds
from typer.testing import CliRunner

from slipway import records
from slipway.__main__ import app
from slipway.adapters.rehearsal import Rehearsal
from slipway.canary import query
from slipway.canary.records import Trace
from slipway.commands import judge_explain, judge_serve
from slipway.errors import Broken
from slipway.services.judge import Judge


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """What a judge tells of a canary in a rehearsal."""
    source = Rehearsal(worlds.rehearse(tmp_path_factory.mktemp("odd") / "rehearsal"))
    judge = Judge(worlds.POLICY, source, source, None)
    return judge.trace(query.parse(worlds.QUERY), worlds.START + 915)


@pytest.mark.parametrize("content", [b"\xff\xfe\xfa", b"{{{{", b"[1, 2]", b"current-context: c\ncontexts: 3\n"])
def test_a_kubeconfig_that_is_none(tmp_path: Path, content: bytes) -> None:
    """Whatever it holds, there is no cluster to ask."""
    (tmp_path / "kubeconfig").write_bytes(content)
    ended = subprocess.run(
        [sys.executable, "-c", "from slipway.adapters.kubernetes import Cluster; Cluster()"],
        env=os.environ | {"KUBECONFIG": str(tmp_path / "kubeconfig")},  # read when the library is imported
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr.splitlines()[-1] == "slipway.errors.Broken: there is no cluster to ask"


def test_a_ledger_that_is_named_in_no_text(tmp_path: Path) -> None:
    """The file of the address holds other bytes: the judge gets as far as to its port, and doubts at each look."""
    (tmp_path / "url").write_bytes(b"\xff\xfe\xfa")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Broken, match="nothing can listen"):
        judge_serve.serve(
            ROOT / "rollouts/judge.yaml",
            rehearsal=tmp_path,
            ledger=str(tmp_path / "url"),
            host="127.0.0.1",
            port=taken.getsockname()[1],
        )


def test_a_judge_that_sends_elsewhere() -> None:
    """A redirection to what is no address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(Broken, match="no judge answers"):
            judge_explain._ask(url, "shop", "flights")


CHANGED: dict[str, Callable[[Any], None]] = {
    "no interval": lambda plain: plain["rollout"].update(intervals=[]),
    "no metric": lambda plain: plain["verdict"].update(metrics=[]),
    "a step too far": lambda plain: plain["verdict"].update(step=99),
    "nothing needed": lambda plain: plain["verdict"].update(abort_needed=0),
    "a time too few": lambda plain: plain["times"].pop(),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_trace_that_somebody_changed(tmp_path: Path, trace: Trace, change: str) -> None:
    """Each part is what it should be, and they do not fit together: broken, in a sentence."""
    plain = json.loads(records.dumps(trace))
    CHANGED[change](plain)
    (tmp_path / "trace.json").write_text(json.dumps(plain))
    done = CliRunner().invoke(app, ["judge", "explain", str(tmp_path / "trace.json")])
    assert isinstance(done.exception, Broken)
    assert "do not fit together" in done.exception.what


def test_a_picture_that_cannot_be_written(tmp_path: Path, trace: Trace) -> None:
    """A folder in the place of the file: broken, with its name."""
    (tmp_path / "trace.json").write_text(records.dumps(trace))
    done = CliRunner().invoke(app, ["judge", "explain", str(tmp_path / "trace.json"), "--png", str(tmp_path)])
    assert isinstance(done.exception, Broken)
    assert f"{tmp_path} cannot be written" in done.exception.what
