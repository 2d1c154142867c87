"""Nothing phones home: the demo runs where no outside network exists, and every connection it tries is loopback."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
INTERNET = re.compile(r'sa_family=AF_INET6?, .*?(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")')
LOOPBACK = ("127.", "::1", "::ffff:127.")


def test_demo_connects_to_loopback_only(tmp_path: Path) -> None:
    """With nothing but loopback the demo, canary and relay included, reaches its end; it tries no other address."""
    clone, trace = tmp_path / "clone", tmp_path / "connects"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    # With the filter in the kernel only a connect stops a process; else each of millions of calls would, twice.
    strace = f"strace --seccomp-bpf -f -qq -e trace=connect -o {trace}"
    inside = f"ip link set lo up && exec {strace} slipway demo --short"
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(clone / "src"),
    }
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", inside],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "htons(53)" not in trace.read_text(), "a name was looked up; where the resolver is local, too, that is a try"
    addresses = [first or second for first, second in INTERNET.findall(trace.read_text())]
    assert addresses, "the trace holds no connection at all: the demo asks its own service, so the trace is broken"
    assert [address for address in addresses if not address.startswith(LOOPBACK)] == []
