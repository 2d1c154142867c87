"""releases/ as a commit has it: guards are read from what everybody agreed on, never from the working tree."""

from dataclasses import dataclass

from slipway import records
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.commands import shelf
from slipway.records import Quarantine, Release, Stable

MAIN = f"{REMOTE}/{BRANCH}"


@dataclass(frozen=True)
class Agreed:
    """The texts of releases/*.json in a commit, by file name."""

    commit: str
    texts: dict[str, str]

    def quarantine(self) -> Quarantine:
        """What is barred from release."""
        text = self.texts.get(shelf.QUARANTINE)
        return records.loads(Quarantine, text, self._origin(shelf.QUARANTINE)) if text else Quarantine()

    def stable(self) -> Stable:
        """The recorded stable."""
        text = self.texts.get(shelf.STABLE)
        return records.loads(Stable, text, self._origin(shelf.STABLE)) if text else Stable(environments={})

    def existing(self) -> dict[str, Release]:
        """Every release record, by version."""
        return {
            name.removesuffix(".json"): records.loads(Release, text, self._origin(name))
            for name, text in self.texts.items()
            if name not in (shelf.STABLE, shelf.QUARANTINE)
        }

    def _origin(self, name: str) -> str:
        return f"{shelf.FOLDER}/{name} of {self.commit[:12]}"


def newest(repository: Repository) -> Agreed:
    """What origin/main says since it was fetched last, or HEAD where there is no remote."""
    return at(repository, repository.commit_of(MAIN) or repository.head())


def at(repository: Repository, commit: str) -> Agreed:
    """Read releases/ of a commit."""
    listed = repository.git("ls-tree", commit, f"{shelf.FOLDER}/").splitlines()
    found = {path.rpartition("/")[2]: head.split()[2] for head, _, path in (line.partition("\t") for line in listed)}
    ids = {name: blob for name, blob in found.items() if name.endswith(".json")}
    texts = repository.blobs(ids.values())
    return Agreed(commit, {name: texts[blob] for name, blob in ids.items()})
