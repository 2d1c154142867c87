"""SHA-256 digests, in the form `sha256:<64 hex digits>` that the field writes them in."""

import hashlib
from collections.abc import Mapping


def of_bytes(content: bytes) -> str:
    """Digest of some bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def of_tree(files: Mapping[str, tuple[bytes, bool]]) -> str:
    """Digest of a tree, from relative POSIX path to (content, executable): names, bytes and modes, in any order."""
    lines = [f"{of_bytes(content)} {int(executable)} {path}\n" for path, (content, executable) in sorted(files.items())]
    return of_bytes("".join(lines).encode())
