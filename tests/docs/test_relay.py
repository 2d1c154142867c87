"""docs/relay.md: what it tells a person to type."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/relay.md").read_text(encoding="utf-8")


def test_the_token_is_one_that_rollouts_can_send(tmp_path: Path) -> None:
    """Kubernetes keeps a file's last line break in a Secret, and Go's HTTP client refuses a header that has one."""
    (making,) = re.findall(r"^    (openssl .*)$", PAGE, re.MULTILINE)
    (tmp_path / "build").mkdir()
    subprocess.run(["sh", "-euc", making], cwd=tmp_path, check=True)
    assert re.fullmatch(rb"[0-9a-f]{64}", (tmp_path / "build/relay-token").read_bytes())
