"""`slipway take`: of what another job has handed over, only what the pipeline makes gets into the checkout."""

from pathlib import Path

import pytest

from slipway.commands.take import take
from slipway.errors import Broken, Rejected


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout."""
    (tmp_path / "root/artifacts").mkdir(parents=True)
    (tmp_path / "root/artifacts/metrics.json").write_text("old")
    return tmp_path / "root"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What was handed over."""
    (tmp_path / "trained/artifacts").mkdir(parents=True)
    (tmp_path / "trained/dvc.lock").write_text("stages: {}")
    (tmp_path / "trained/artifacts/metrics.json").write_text("new")
    return tmp_path / "trained"


def test_what_was_computed_is_taken(folder: Path, root: Path) -> None:
    """It takes the place of what was there."""
    take(folder, root)
    assert (root / "artifacts/metrics.json").read_text() == "new"
    assert (root / "dvc.lock").read_text() == "stages: {}"


@pytest.mark.parametrize("name", [".git/config", "src/sitecustomize.py", "dvc.lock.py", ".dvc/config.local"])
def test_nothing_else_is(name: str, folder: Path, root: Path) -> None:
    """Code, hooks and settings run with the rights of whoever takes them."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("run me")
    with pytest.raises(Rejected, match="nothing that the pipeline makes"):
        take(folder, root)
    assert (root / "artifacts/metrics.json").read_text() == "old"


def test_a_link_is_no_record(folder: Path, root: Path) -> None:
    """Neither in what was handed over nor in the checkout, which a change may have made one."""
    (folder / "artifacts/model.onnx").symlink_to("/etc/passwd")
    with pytest.raises(Broken, match="not a regular file"):
        take(folder, root)
    (folder / "artifacts/model.onnx").unlink()
    (root / "artifacts").rename(root / "hooks")
    (root / "artifacts").symlink_to("hooks")
    with pytest.raises(Rejected, match="behind a link"):
        take(folder, root)
    assert (root / "hooks/metrics.json").read_text() == "old"


def test_nothing_was_handed_over(tmp_path: Path) -> None:
    """That is no answer."""
    with pytest.raises(Broken, match="cannot be read"):
        take(tmp_path / "trained", tmp_path)
