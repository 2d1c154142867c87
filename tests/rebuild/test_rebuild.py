"""`slipway rebuild`: a release made anew elsewhere is the same, and what is not the same is named."""

import json
from typing import Any


def test_a_release_comes_out_again_in_another_place(released: Any, tmp_path: Any) -> None:
    """Another folder, core type, time zone, hash seed and thread count: every digest of the record comes out."""
    other = {"OPENBLAS_CORETYPE": "Sandybridge", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "2"}
    done = released.rebuild("1.0.0", "--json", TMPDIR=str(tmp_path), **other)

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["identical"]
    assert not list(tmp_path.iterdir())
