"""Rollouts that are rehearsed on this machine: `seen.json`, in a folder or in the folders of its environments."""

from pathlib import Path

from slipway import records
from slipway.errors import Broken
from slipway.rollout.records import Seen

FILE = "seen.json"


class Folder:
    """A folder that someone rehearses in, or will."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def seen(self, namespace: str, name: str, _now: float) -> Seen | None:
        """Say how a rollout stands; None where it is not rehearsed.

        Raises:
            Broken: a file there is none of a rehearsal.

        """
        for path in (self._folder / FILE, *sorted(self._folder.glob(f"*/{FILE}"))):
            try:
                text = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Broken(f"{path} cannot be read: {error.strerror}", "Rehearse again.") from None
            found = records.loads(Seen, text, str(path))
            if (found.namespace, found.rollout) == (namespace, name):
                return found
        return None
