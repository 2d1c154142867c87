"""DVC, by its own command line: whether what lies on disk follows from the data, the parameters and the code."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from slipway.errors import Broken, Rejected

TRACK = "Track the data: `dvc add data`."


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


def add(root: Path, path: str) -> None:
    """Track what a path holds now."""
    _run(root, "add", "--quiet", path)


def push(root: Path, tracked: str) -> None:
    """Send what is tracked to the remote."""
    _run(root, "push", "--quiet", tracked)


def _run(root: Path, *words: str) -> None:
    done = subprocess.run((sys.executable, "-m", "dvc", *words), cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Broken(f"dvc {words[0]} failed: {done.stderr.strip()[-500:]}", "Mend what it names, and run it again.")


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
    path = root / "data.dvc"
    try:
        return digest_in(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeError) as error:
        raise Broken(f"{path} cannot be read: {error}", TRACK) from error


def digest_in(text: str, origin: str) -> str:
    """Name the data as the text of a data.dvc does; `origin` names it in an error.

    Raises:
        Broken: it names none.

    """
    import yaml

    try:
        return f"md5:{yaml.safe_load(text)['outs'][0]['md5']}"
    except (LookupError, TypeError, yaml.YAMLError) as error:
        raise Broken(f"{origin} names no data: {error}", TRACK) from error


def inputs(lock: str | bytes, origin: str) -> dict[str, Any]:
    """What the stages of a dvc.lock were run on: of each its command, its parameters, and what no other stage made.

    Raises:
        Broken: it is no dvc.lock.

    """
    import yaml

    try:
        stages = yaml.safe_load(lock)["stages"]
        made = {out["path"] for stage in stages.values() for out in stage.get("outs", ())}
        return {
            name: (stage["cmd"], stage.get("params"), [one for one in stage.get("deps", ()) if one["path"] not in made])
            for name, stage in stages.items()
        }
    except (AttributeError, LookupError, TypeError, yaml.YAMLError) as error:
        raise Broken(f"{origin} is no dvc.lock: {error!r}", "Run `dvc repro`.") from error


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
