"""What verification costs: when a service starts, and for each release; beside what does less, in the same run.

The signature is that of a package of the model at hand, by a Sigstore of this machine (so its network costs nothing).
Rounds are interleaved. Prints a Markdown table, and writes it between the markers of docs/benchmarks.md.
"""

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

from fresh import ROOT, publish

from slipway import attestation, digests
from slipway.adapters import bento, sigstore, tree
from slipway.commands import verifying

if TYPE_CHECKING:
    from tests.signing.hand import Hand
    from tests.signing.instance import Instance

STARTS, VERBS, CALLS = 5, 7, 50
PORT = 4110
BARE = """
import sys
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity
trust, bundle = (open(path).read() for path in sys.argv[1:3])
verifier = Verifier(trusted_root=ClientTrustConfig.from_json(trust).trusted_root)
verifier.verify_dsse(Bundle.from_json(bundle), Identity(identity=sys.argv[3], issuer=sys.argv[4]))
"""
Work = Callable[[], object]
Times = tuple[list[float], list[float]]  # of ours and of its peer, round by round
Row = tuple[str, str, Times]


def main() -> None:
    """Package, sign, measure, and write the table."""
    sys.path.insert(0, str(ROOT))
    from tests.conftest import Project
    from tests.signing import hand as hands
    from tests.signing.instance import started

    with (
        tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder,
        started(Path(folder, "sigstore"), "--rekor", "2") as instance,
    ):
        hand = hands.make(Project(ROOT), Path(folder, "repository"))
        hand.put(hand.sign(instance))
        os.environ[verifying.LOOPBACK] = str(instance.trust)
        rows = [*starting(hand), *signing(hand, instance)]
    lines = ["| what | Slipway | beside it | difference (lowest to highest round) |", "|---|--:|--:|--:|"]
    for what, peer, (ours, theirs) in rows:
        apart = [mine - other for mine, other in zip(ours, theirs, strict=True)]
        between = f"{_told(statistics.median(apart))} ({_told(min(apart))} to {_told(max(apart))})"
        middle = [_told(statistics.median(times)) for times in (ours, theirs)]
        lines.append(f"| {what} | {middle[0]} | {middle[1]}, {peer} | {between} |")
    publish("verifying", "\n".join(lines))


def starting(hand: "Hand") -> list[Row]:
    """What a service pays that looks at its own bento before it is ready."""
    files = [path for path in hand.bento.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    digest = hand.package.bento_digest
    started = measure(STARTS, lambda: start(hand.bento, SLIPWAY_BENTO=digest), lambda: start(hand.bento))
    hashed = measure(
        CALLS,
        lambda: digests.of_tree(tree.read(hand.bento)),
        lambda: subprocess.run(["sha256sum", *files], check=True, capture_output=True),
    )
    about = f"digest of a bento, {len(files)} files, {size / 1000:,.0f} kB"
    return [
        ("start of a service, until it is ready", "without `SLIPWAY_BENTO`", started),
        (about, "`sha256sum` of the files, a process", hashed),
    ]


def signing(hand: "Hand", instance: "Instance") -> list[Row]:
    """What a release pays: to be signed, and each time that somebody relies on it."""
    from sigstore.dsse import Statement
    from sigstore.models import Bundle
    from sigstore.oidc import IdentityToken
    from sigstore.sign import SigningContext
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity

    token = instance.token(sha=hand.commit)
    trust = sigstore.trust(instance.trust.read_text(), "the bench's Sigstore")
    run = sigstore.run_of(token)
    payload = attestation.write(hand.statement(run))
    bundle = (hand.root / verifying.SIGNED).read_text()
    verifier = Verifier(trusted_root=trust.config.trusted_root)

    def bare_sign() -> None:
        with SigningContext.from_trust_config(trust.config).signer(IdentityToken(token)) as signer:
            signer.sign_dsse(Statement(payload))

    def verb() -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        command = [str(Path(sys.executable).with_name("slipway")), "verify"]
        subprocess.run(command, cwd=hand.root, env=environment, check=True, capture_output=True)

    def script() -> None:
        command = [sys.executable, "-c", BARE, str(instance.trust), str(hand.root / verifying.SIGNED)]
        subprocess.run([*command, run.signer, run.issuer], check=True, capture_output=True)

    signed = measure(
        CALLS,
        lambda: sigstore.sign(attestation.write(hand.statement(sigstore.run_of(token))), token, trust),
        bare_sign,
    )
    verified = measure(
        CALLS,
        lambda: sigstore.verify(bundle, trust),
        lambda: verifier.verify_dsse(Bundle.from_json(bundle), Identity(identity=run.signer, issuer=run.issuer)),
    )
    with redirect_stderr(io.StringIO()):  # it says each time what it has verified
        built = measure(CALLS, hand.verify, lambda: sigstore.verify(bundle, trust))
    return [
        ("sign a release: statement, certificate, log, time stamp", "the same bytes by the bare client", signed),
        ("verify a signature", "by the bare client", verified),
        ("verify what is at hand: policy, statement, card, bento, image", "its signature alone", built),
        ("`slipway verify`, from its start", "the bare client, from its start", measure(VERBS, verb, script)),
    ]


def start(made: Path, **variables: str) -> float:
    """Serve a bento until it says that it is ready; returns the seconds until then, without its end."""
    begun = time.perf_counter()
    with bento.serving(made, PORT, **variables) as address:
        while not _ready(address):
            time.sleep(0.01)
        return time.perf_counter() - begun


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def measure(rounds: int, ours: Work, theirs: Work) -> Times:
    """Seconds of each, in turn, after one of each that does not count; what knows its own time, says it."""
    times: Times = ([], [])
    for number in range(rounds + 1):
        for kept, work in zip(times, (ours, theirs), strict=True):
            begun = time.perf_counter()
            told = work()
            if number:
                kept.append(told if isinstance(told, float) else time.perf_counter() - begun)
    return times


def _told(seconds: float) -> str:
    return f"{seconds:.2f} s" if abs(seconds) >= 1 else f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()
