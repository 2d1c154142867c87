"""Releases that go wrong in one way each: copies of a real bento with one fault, and how their canaries must end.

`most` bounds the requests that the canary has got by then: at least three times what was measured (docs/rehearsal.md).
It tells a judge that has become slow from bad luck, and nothing was tuned to it.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slipway.canary.records import Kind
from slipway.records import Cause

Make = Callable[[Path, Path], Path]  # from the champion's bento, in a folder that is not there yet
FAULTS = Path(__file__).with_name("faults.py")
HOOK = """

import faults

wrap, plain = faults.{fault}, FastService.to_asgi
FastService.to_asgi = lambda self, is_main=True: wrap(plain(self, is_main))
"""


def same(bento: Path, _out: Path) -> Path:
    """Take the bento as it is."""
    return bento


@dataclass(frozen=True)
class Behind:
    """Copies the bento; its service stands behind a fault, such as `failing(0.02)`."""

    fault: str

    def __call__(self, bento: Path, out: Path) -> Path:
        """Make the copy."""
        shutil.copytree(bento, out)
        shutil.copyfile(FAULTS, out / "src/faults.py")
        with (out / "src/service.py").open("a") as service:
            service.write(HOOK.format(fault=self.fault))
        return out


def one_byte_changed(bento: Path, out: Path) -> Path:
    """Copy the bento, but for one byte of its model."""
    shutil.copytree(bento, out)
    model = out / "src/model/model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    return out


@dataclass(frozen=True)
class Case:
    """A challenger, and its canary's end: one of `causes`, `blame` if by a verdict, `most` requests if not promoted.

    `weights` is what it has got until then, in points and in order, where that is certain. A rehearsal ends so, and so
    does the cluster.
    """

    make: Make
    outcome: Literal["promoted", "aborted"]
    causes: tuple[Cause, ...]
    blame: Kind | None = None
    most: int = 0
    weights: tuple[int, ...] | None = (10,)
    stable: Make = same
    bound: float | None = None  # seconds: the latency bound that stable's p95 leads to, unless the machine is slower


CASES = {
    # Its p95 is one and a half times that of stable: 75 ms and 50, of services that take so long on any machine. The
    # bound is 60 ms: half of its answers are slower, and none of stable's but by accident.
    "slow": Case(
        Behind("paced(0.045, 0.075)"),
        "aborted",
        ("verdict",),
        "latency",
        300,
        stable=Behind("paced(0.03, 0.05)"),
        bound=0.06,
    ),
    # 2 points are twice the margin: `slipway judge plan` says 830 canary requests for half of all such canaries. The
    # first step lets through what is less than four margins worse.
    "failing": Case(Behind("failing(0.02)"), "aborted", ("verdict",), "errors", 5000, weights=None),
    # 9 % of June's flights have no pressure: more than 4 margins, 230 requests for half of them.
    "contract": Case(Behind("demanding('pressure')"), "aborted", ("verdict",), "errors", 1500),
    # Who is answered when it dies gets nothing, and neither does who comes before that is known. One death's errors can
    # be too few: then it is up again and dies again, or takes so long that no pod was available for 60 seconds.
    "crashing": Case(Behind("crashing(100)"), "aborted", ("verdict", "unavailable"), "errors", 600, weights=None),
    # Nobody gets an error, so there is no evidence: 60 seconds without an available pod end it, however many it got.
    "withdrawing": Case(Behind("withdrawing(100)"), "aborted", ("unavailable",), None, 600),
    # UA flies a sixth of all flights: 5 points of Brier loss, two and a half margins of the last step.
    "wrong": Case(Behind("opposite('UA')"), "aborted", ("verdict",), "truth", 15000, weights=None),
    # It refuses to serve any model but the one that it was made for, so nobody ever asks it.
    "one-byte": Case(one_byte_changed, "aborted", ("deadline",), weights=()),
    "twin": Case(same, "promoted", ("verdict",), weights=(10, 30, 60, 100)),
}
