"""DVC, by its own command line: whether what lies on disk follows from the data, the parameters and the code."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from slipway.errors import Broken, Rejected


def stale(root: Path, stage: str) -> tuple[str, ...]:
    """Say, in words, what of a stage and of all it stands on is not what dvc.lock says; empty when all is.

    Raises:
        Broken: DVC cannot tell.

    """
    command = (sys.executable, "-m", "dvc", "status", "--json", "--with-deps", stage)
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    try:
        status = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise Broken(f"DVC cannot tell what is up to date: {said[0]}", "Run `dvc repro`.") from error
    return tuple(f"{name}: {_words(changes)}" for name, changes in sorted(status.items()))


def require(root: Path, stage: str) -> None:
    """See that what a stage made follows from the tree.

    Raises:
        Rejected: it does not.
        Broken: as `stale`.

    """
    if found := stale(root, stage):
        raise Rejected(f"the model does not follow from this commit: {'; '.join(found)}", "Run `dvc repro`.")


def _words(changes: list[object]) -> str:
    said = []
    for change in changes:
        if not isinstance(change, dict):
            said.append(str(change))
            continue
        for kind, items in change.items():
            said += [f"{kind.removeprefix('changed ')} {path} {state}" for path, state in items.items()]
    return ", ".join(said)


def data_digest(root: Path) -> str:
    """Name the data: the digest of the folder, as data.dvc writes it (md5 of its listing).

    Raises:
        Broken: data.dvc names none.

    """
    import yaml

    path = root / "data.dvc"
    try:
        return f"md5:{yaml.safe_load(path.read_bytes())['outs'][0]['md5']}"
    except (OSError, LookupError, TypeError, yaml.YAMLError) as error:
        raise Broken(f"{path} names no data: {error}", "Track the data: `dvc add data`.") from error


def folder_digest(folder: Path) -> str:
    """Name what a folder holds, as `data_digest` does. DVC itself believes its remote: bytes that rot there pass it."""
    listing = [
        {"md5": hashlib.md5(path.read_bytes()).hexdigest(), "relpath": path.relative_to(folder).as_posix()}  # noqa: S324
        for path in folder.rglob("*")
        if path.is_file()
    ]
    listing.sort(key=lambda entry: entry["relpath"])
    return f"md5:{hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest()}.dir"  # noqa: S324  # theirs


def bring_settings(checkout: Path, clone: Path) -> None:
    """Have a clone reach the remotes that its checkout reaches, with what no commit holds: .dvc/config.local.

    Relative paths lead where they led from the checkout. The cache is the clone's own.

    Raises:
        Broken: DVC cannot read them.

    """
    from dvc.config import Config, ConfigError  # type: ignore[import-untyped]

    try:
        there = Config(str(checkout / ".dvc"), validate=False)
        brought, tracked = there.read("local"), there.read("repo")
        with Config(str(clone / ".dvc"), validate=False).edit("local") as settings:
            settings.update(brought)
            settings["cache"] = {"dir": str(clone / ".dvc/cache")}
            for name, remote in tracked["remote"].items():
                outside = Path(remote["url"])  # a relative one is absolute by now
                if outside.is_absolute() and not outside.is_relative_to(checkout):
                    settings["remote"].setdefault(name, {}).setdefault("url", str(outside))
        (clone / ".dvc/config.local").chmod(0o600)  # there may be credentials in it
    except ConfigError as error:
        raise Broken(f"DVC's settings in {checkout / '.dvc'} cannot be read: {error}", "Mend what it names.") from error
