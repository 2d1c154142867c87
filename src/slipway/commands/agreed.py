"""releases/ as a commit has it: guards are read from what everybody agreed on, never from the working tree."""

from dataclasses import dataclass

from slipway import changes
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.changes import State
from slipway.commands import shelf

MAIN = f"{REMOTE}/{BRANCH}"


@dataclass(frozen=True)
class Agreed:
    """The texts of releases/*.json in a commit, by file name."""

    commit: str
    texts: dict[str, str]

    def state(self) -> State:
        """What they say."""
        return changes.read(self.texts, self.commit[:12])


def newest(repository: Repository) -> Agreed:
    """What main says as it was fetched last, or HEAD where there is no remote; in a throw-away tree, its newest."""
    return at(repository, repository.commit_of(repository.main) or repository.head())


def at(repository: Repository, commit: str) -> Agreed:
    """Read releases/ of a commit."""
    return Agreed(commit, repository.texts(commit, str(shelf.FOLDER), ".json"))
