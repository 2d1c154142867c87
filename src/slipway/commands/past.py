"""What Git remembers of releases: the records at the tip of main, and every commit that changed them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from slipway import changes, history, recipe
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.changes import Paper
from slipway.commands import progress, shelf
from slipway.errors import Broken
from slipway.history import Noted, Revision
from slipway.manifests import tree
from slipway.planes import Applied

_NONE = 40 * "0"  # what git calls the content of a file that a commit has removed
_START = "\x1e"  # before each commit, in what git prints


@dataclass(frozen=True)
class Past:
    """What stands at a commit, and how it came to."""

    tip: str
    last: Revision  # the last of `revisions`, or an empty one
    revisions: Sequence[Revision]
    texts: Sequence[Mapping[str, str]]  # for each of them, the files of releases/ that it left there

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
    paths = f":(glob){shelf.FOLDER}/*.json"
    printed = repository.git(*command, "--no-abbrev", f"--format={_START}%H%x09%an", commit, "--", paths)
    log = [text.splitlines() for text in printed.split(_START)[1:]]
    texts = repository.blobs({line.split()[3] for _, *lines in log for line in lines if line} - {_NONE})
    standing: dict[str, str] = {}
    readable: dict[str, Paper] = {}
    papers: list[Mapping[str, str]] = []
    revisions = []
    for head, *lines in log:
        sha, _, who = head.partition("\t")
        for facts, _, path in (line.partition("\t") for line in lines if line):
            name, blob = Path(path).name, facts.split()[3]
            if blob == _NONE:
                standing.pop(name), readable.pop(name, None)
            else:
                standing[name] = texts[blob]
                with suppress(Broken):  # that somebody once wrote nonsense there does not hide what stood before
                    readable[name] = changes.paper(name, texts[blob], path)
        papers.append(dict(standing))
        revisions.append(_revision(sha, who, readable))
    for name, text in standing.items():
        changes.paper(name, text, f"{shelf.FOLDER}/{name} of {commit[:12]}")
    last = revisions[-1] if revisions else _revision(commit, "", {})
    return Past(tip=commit, last=last, revisions=revisions, texts=papers)


def _revision(commit: str, who: str, papers: Mapping[str, Paper]) -> Revision:
    state = changes.gathered(papers)
    return Revision(commit=commit, who=who, releases=state.releases, stable=state.stable, quarantine=state.quarantine)


def recipe_of(repository: Repository, commit: str) -> str:
    """The digest of the recipe that a commit holds."""
    listed = (line.split(maxsplit=3) for line in repository.git("ls-tree", "-r", "--full-tree", commit).splitlines())
    made = {path: blob for _, _, blob, path in listed if any(_is(path, pattern) for pattern in recipe.PATTERNS)}
    texts = repository.blobs(made.values())
    return recipe.digest({path: texts[blob].encode() for path, blob in made.items()})


def _is(path: str, pattern: str) -> bool:
    """Whether a path from the root matches a glob, folder by folder."""
    return path.count("/") == pattern.count("/") and PurePosixPath(path).match(pattern)


def applied(repository: Repository, commit: str, environment: str) -> Applied | None:
    """What Git tells Argo CD to apply in an environment; None where nothing was released to it."""
    rendered = repository.texts(commit, f"k8s/rendered/{environment}", ".yaml")
    rollouts = [each["metadata"] for each in tree.objects(rendered) if each.get("kind") == "Rollout"]
    if not rollouts:
        return None
    return Applied(
        namespace=rollouts[0]["namespace"],
        rollout=rollouts[0]["name"],
        image=tree.image_of(rendered),
        rollback=next((digest for _, digest in tree.rollbacks(rendered)), None),
    )


def no_registry(uri: str) -> bool:
    """Whether an address is that of a file that is not there: MLflow would make one."""
    path = uri.removeprefix("sqlite:///")
    return path != uri and not Path(path).exists()
