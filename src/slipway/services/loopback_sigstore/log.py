"""An append-only Merkle log (RFC 6962) with signed checkpoints (C2SP tlog-checkpoint), kept in one file."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from slipway.services.loopback_sigstore import keys
from slipway.services.loopback_sigstore.keys import Key


@dataclass(frozen=True)
class Inclusion:
    """Where an entry stands in the log, and what proves it."""

    index: int
    size: int
    leaf: bytes
    root: bytes
    path: list[bytes]
    checkpoint: str


class Log:
    """The log; entries are canonical JSON, so that one line of the file is one entry."""

    def __init__(self, file: Path, origin: str, key: Key) -> None:
        self.file, self.origin, self.key = file, origin, key
        self.leaves = [_leaf(body) for body in file.read_bytes().splitlines()] if file.exists() else []

    def add(self, body: bytes) -> Inclusion:
        """Append an entry, and prove that it is in."""
        with self.file.open("ab") as stream:
            stream.write(body + b"\n")
        self.leaves.append(_leaf(body))
        index, size, root = len(self.leaves) - 1, len(self.leaves), _root(self.leaves)
        path = _path(index, self.leaves)
        return Inclusion(index, size, self.leaves[index], root, path, self._checkpoint(size, root))

    def _checkpoint(self, size: int, root: bytes) -> str:
        note = f"{self.origin}\n{size}\n{b64encode(root).decode()}\n"
        signature = keys.identity(self.key)[:4] + keys.sign(self.key, note.encode())
        return f"{note}\n\N{EM DASH} {self.origin} {b64encode(signature).decode()}\n"


def _leaf(body: bytes) -> bytes:
    return sha256(b"\0" + body).digest()


def _root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    middle = _middle(leaves)
    return sha256(b"\1" + _root(leaves[:middle]) + _root(leaves[middle:])).digest()


def _path(index: int, leaves: list[bytes]) -> list[bytes]:
    """What to hash a leaf with, upwards, to reach the root."""
    if len(leaves) == 1:
        return []
    middle = _middle(leaves)
    if index < middle:
        return [*_path(index, leaves[:middle]), _root(leaves[middle:])]
    return [*_path(index - middle, leaves[middle:]), _root(leaves[:middle])]


def _middle(leaves: list[bytes]) -> int:
    """Where a tree divides: at the largest power of two below its size."""
    return 1 << (len(leaves) - 1).bit_length() - 1
