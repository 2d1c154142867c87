"""The folder releases/: one record per version, the recorded stable of each environment, and the quarantine."""

from pathlib import Path

from slipway.adapters import files
from slipway.changes import QUARANTINE, STABLE, State
from slipway.records import Quarantine, Release, Stable

FOLDER = Path("releases")


def existing(root: Path) -> dict[str, Release]:
    """Every release record, by version."""
    paths = (path for path in (root / FOLDER).glob("*.json") if path.name not in (STABLE, QUARANTINE))
    return {path.stem: files.read_record(Release, path) for path in paths}


def state(root: Path) -> State:
    """All of it."""
    return State(releases=existing(root), stable=stable(root), quarantine=quarantine(root))


def read(root: Path, version: str) -> Release:
    """The record of one release."""
    return files.read_record(Release, root / FOLDER / f"{version}.json")


def stable(root: Path) -> Stable:
    """The recorded stable; no environment has one before the first promotion."""
    path = root / FOLDER / STABLE
    return files.read_record(Stable, path) if path.exists() else Stable(environments={})


def write(root: Path, record: Release) -> None:
    """Write a release record."""
    files.write_record(root / FOLDER / f"{record.package.bundle.version}.json", record)


def write_stable(root: Path, recorded: Stable) -> None:
    """Write the recorded stable."""
    files.write_record(root / FOLDER / STABLE, recorded)


def quarantine(root: Path) -> Quarantine:
    """What is barred from release; nothing before the first abort."""
    path = root / FOLDER / QUARANTINE
    return files.read_record(Quarantine, path) if path.exists() else Quarantine()


def write_quarantine(root: Path, barred: Quarantine) -> None:
    """Write what is barred from release."""
    files.write_record(root / FOLDER / QUARANTINE, barred)
