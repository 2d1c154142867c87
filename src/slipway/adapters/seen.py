"""Rollouts that are rehearsed on this machine: `seen.json`, in a folder or in the folders of its environments.

Beside it lies the judge's last word, `evidence.json`: its process ends with the rehearsal.
"""

from pathlib import Path

from slipway import records
from slipway.errors import Broken
from slipway.records import Evidence
from slipway.rollout.records import Seen

FILE, WORD = "seen.json", "evidence.json"


class Folder:
    """A folder that someone rehearses in, or will."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def seen(self, namespace: str, name: str, _now: float) -> Seen | None:
        """Say how a rollout stands; None where it is not rehearsed.

        Raises:
            Broken: a file there is none of a rehearsal.

        """
        return self._find(namespace, name)[0]

    def word(self, namespace: str, name: str, _now: float) -> Evidence | None:
        """Say what the judge's last verdict rested on; None before it was asked, and where nothing is rehearsed.

        Raises:
            Broken: as `seen`.

        """
        _, folder = self._find(namespace, name)
        text = _read(folder / WORD)
        return None if text is None else records.loads(Evidence, text, str(folder / WORD))

    def _find(self, namespace: str, name: str) -> tuple[Seen | None, Path]:
        for path in (self._folder / FILE, *sorted(self._folder.glob(f"*/{FILE}"))):
            if (text := _read(path)) is not None:
                found = records.loads(Seen, text, str(path))
                if (found.namespace, found.rollout) == (namespace, name):
                    return found, path.parent
        return None, self._folder


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Broken(f"{path} cannot be read: {error.strerror}", "Rehearse again.") from None
