"""The sample data follow from their source: anyone can make them again and compare."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_sample_data_are_rebuilt_byte_for_byte(tmp_path: Path) -> None:
    """The script makes every file of data/ and replay/ from the source distribution on PyPI, to the last bit."""
    subprocess.run([sys.executable, "scripts/sample_data.py", str(tmp_path)], cwd=ROOT, check=True)
    shipped = {
        path.relative_to(ROOT / name) for name in ("data", "replay") for path in (ROOT / name).rglob("*.parquet")
    }
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.parquet")}
    assert made == shipped
    assert len(made) == 2 * 12 + 1
    for name in ("data", "replay"):
        for path in (ROOT / name).rglob("*.parquet"):
            assert path.read_bytes() == (tmp_path / path.relative_to(ROOT / name)).read_bytes(), path
