"""SHA-256 digests, in the form `sha256:<64 hex digits>` that the field writes them in; of bytes, and of whole trees."""

import hashlib
import json
from collections.abc import Mapping

Tree = Mapping[str, tuple[bytes, bool]]  # relative POSIX path -> (content, executable)
Entries = Mapping[str, tuple[str, bool]]  # relative POSIX path -> (digest, executable)


def of_bytes(content: bytes) -> str:
    """Digest of some bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def of_tree(tree: Tree) -> str:
    """Digest of a tree: names, bytes and executable bits, in any order.

    It is that of JSON with one spelling, so no name can look like another entry. Names are not normalised: two
    spellings of one accent are two files.
    """
    described = [
        {"path": path, "size": len(content), "executable": executable, "sha256": hashlib.sha256(content).hexdigest()}
        for path, (content, executable) in sorted(tree.items())
    ]
    return of_bytes(json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def entries(tree: Tree) -> dict[str, tuple[str, bool]]:
    """What a tree holds, file by file."""
    return {path: (of_bytes(content), executable) for path, (content, executable) in sorted(tree.items())}


def differences(before: Entries, after: Entries) -> list[str]:
    """Say file by file how one tree differs from another; nothing if they are the same."""
    return [
        f"{path if path.isprintable() else ascii(path)} {what}"
        for path in sorted(before.keys() | after.keys())
        if (what := _difference(before.get(path), after.get(path)))
    ]


def _difference(before: tuple[str, bool] | None, after: tuple[str, bool] | None) -> str | None:
    if before is None or after is None:
        return "was added" if before is None else "was removed"
    said = ["was changed"] if before[0] != after[0] else []
    if before[1] != after[1]:
        said.append("was made executable" if after[1] else "is executable no more")
    return " and ".join(said) or None
