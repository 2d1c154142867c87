"""What Git remembers of releases: the records at the tip of main, and every commit that changed them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slipway import history, records
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.commands import progress, shelf
from slipway.errors import Broken
from slipway.history import Noted, Revision
from slipway.records import Quarantine, Release, Stable

_NONE = 40 * "0"  # what git calls the content of a file that a commit has removed
_START = "\x1e"  # before each commit, in what git prints


@dataclass(frozen=True)
class Past:
    """What stands at a commit, and how it came to."""

    tip: str
    last: Revision  # the last of `revisions`, or an empty one
    revisions: Sequence[Revision]

    @property
    def events(self) -> list[Noted]:
        """Every event, in the order in which commits wrote them."""
        return history.noted(self.revisions)


def tip(repository: Repository, *, fetched: bool = False) -> str:
    """The newest commit of main that can be had: the remote's, as of the last fetch if it cannot be asked.

    Raises:
        Broken: there is no commit; or it must be `fetched`, and the remote does not answer.

    """
    main = f"{REMOTE}/{BRANCH}"
    if REMOTE in repository.git("remote").split():
        try:
            repository.fetch()
        except Broken as error:
            if fetched:
                raise
            progress.print(f"[yellow]as of the last fetch[/] {error.what}", soft_wrap=True)
    for name in (main, "HEAD"):
        if commit := repository.commit_of(name):
            return commit
    raise Broken(f"{repository.root} holds no commit", "Run it in a clone, or name one: --root")


def read(repository: Repository, commit: str) -> Past:
    """Read the records at a commit, and each commit of the main line before it that changed them.

    Raises:
        Broken: the clone is shallow, or a record is none.

    """
    if repository.git("rev-parse", "--is-shallow-repository") == "true":
        raise Broken(f"{repository.root} has a part of the history only", "git fetch --unshallow")
    command = ("log", "--reverse", "--first-parent", "--diff-merges=first-parent", "--no-renames", "--raw")
    printed = repository.git(*command, "--no-abbrev", f"--format={_START}%H%x09%an", commit, "--", str(shelf.FOLDER))
    log = [text.splitlines() for text in printed.split(_START)[1:]]
    texts = repository.blobs({line.split()[3] for _, *lines in log for line in lines if line} - {_NONE})
    standing: dict[str, str] = {}
    memory: dict[str, Any] = {}
    revisions = []
    for head, *lines in log:
        sha, _, who = head.partition("\t")
        for line in filter(None, lines):
            facts, _, path = line.partition("\t")
            name, blob = path.removeprefix(f"{shelf.FOLDER}/"), facts.split()[3]
            standing.pop(name, None)
            if blob != _NONE:
                standing[name] = blob
                memory[blob] = memory.get(blob) or _record(name, texts[blob], f"{path} of {sha[:12]}")
        there = {name: memory[blob] for name, blob in standing.items()}
        revisions.append(_revision(sha, who, there))
    last = revisions[-1] if revisions else _revision(commit, "", {})
    return Past(tip=commit, last=last, revisions=revisions)


def _record(name: str, text: str, origin: str) -> Any:  # noqa: ANN401  # of the kind that the name says
    kinds: dict[str, Any] = {shelf.STABLE: Stable, shelf.QUARANTINE: Quarantine}
    return records.loads(kinds.get(name, Release), text, origin)


def _revision(commit: str, who: str, papers: dict[str, Any]) -> Revision:
    stable = papers.pop(shelf.STABLE, Stable(environments={}))
    quarantine = papers.pop(shelf.QUARANTINE, Quarantine())
    releases = {name.removesuffix(".json"): release for name, release in papers.items()}
    return Revision(commit=commit, who=who, releases=releases, stable=stable, quarantine=quarantine)
