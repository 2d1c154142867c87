"""DVC, by its own command line: whether what lies on disk follows from the data, the parameters and the code."""

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
