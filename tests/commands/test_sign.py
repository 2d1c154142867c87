"""`slipway sign`: a statement names the locks, so they must be what is installed."""

import subprocess
from pathlib import Path

import pytest
from tests.conftest import authored

from slipway.commands.sign import sign
from slipway.errors import Rejected


def test_with_other_packages_than_the_locked_ones_nothing_is_signed(tmp_path: Path) -> None:
    """As in a platform image that was built before the lock moved on."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/pipeline.txt").write_text("numpy==0.9 \\\n    --hash=sha256:00\n")
    with authored():
        for command in ("git init -q", "git add .", "git commit -qm Lock"):
            subprocess.run(command.split(), cwd=tmp_path, check=True)
    with pytest.raises(Rejected, match=r"not requirements/pipeline.txt: numpy [\d.]+, locked 0.9"):
        sign(tmp_path)
