"""What main says, read from a clone that is fetched: releases, recorded stable, and the rendered manifests."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from threading import Event

from slipway import changes
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.errors import Broken
from slipway.manifests import tree
from slipway.rollout.relay import Environment, Git
from slipway.services.relay import processes

TIP = f"refs/remotes/{REMOTE}/{BRANCH}"
RENDERED, RELEASES = "k8s/rendered", "releases"
SECONDS = 30.0


class Main:
    """The branch main of a clone's origin; a bare clone will do."""

    def __init__(self, root: Path) -> None:
        self._repository = Repository(root)
        self._known: Git | None = None

    def read(self, stop: Event) -> Git:
        """Fetch, and say what main says.

        Raises:
            Broken: the remote does not answer in time, or holds what is no release.

        """
        fetch = ("git", "fetch", "--quiet", REMOTE, f"+refs/heads/{BRANCH}:{TIP}")
        code, said = processes.run(fetch, self._repository.root, SECONDS, stop)
        if code != 0:
            what = said or f"no answer in {SECONDS:g} s"
            raise Broken(f"{REMOTE} cannot be fetched from {self._repository.root}: {what}", "Mend what git names.")
        commit = self._repository.git("rev-parse", TIP)
        if self._known is None or self._known.commit != commit:
            self._known = read(commit, self._texts(commit))
        return self._known

    def _texts(self, commit: str) -> dict[str, str]:
        listed = self._repository.git("ls-tree", "-r", commit, "--", RENDERED, RELEASES).splitlines()
        ids = {path: line.split()[2] for line, path in (each.split("\t", 1) for each in listed)}
        blobs = self._repository.blobs(ids.values())
        return {path: blobs[each] for path, each in ids.items()}


def read(commit: str, texts: Mapping[str, str]) -> Git:
    """Read the files of main, by path.

    Raises:
        Broken: one is none of Slipway's.

    """
    papers: dict[str, str] = {}
    manifests: dict[str, dict[str, str]] = {}
    for path, text in texts.items():
        at = PurePosixPath(path)
        if at.suffix == ".yaml" and at.is_relative_to(f"{RENDERED}/{tree.PLATFORM}"):
            continue  # itself, among others
        if at.suffix == ".yaml" and at.is_relative_to(RENDERED):
            manifests.setdefault(at.parts[2], {})[at.name] = text
        elif at.suffix == ".json" and at.is_relative_to(RELEASES):
            papers[at.name] = text
    return Git(
        commit=commit,
        state=changes.read(papers, commit[:12]),
        environments={name: _environment(name, found) for name, found in manifests.items()},
    )


def _environment(name: str, manifests: Mapping[str, str]) -> Environment:
    rollouts = [one for one in tree.objects(manifests) if one.get("kind") == "Rollout"]
    if len(rollouts) != 1:
        raise Broken(f"{RENDERED}/{name} has {len(rollouts)} Rollouts", "Run `slipway manifests check`.")
    metadata = rollouts[0]["metadata"]
    return Environment(
        namespace=metadata["namespace"],
        rollout=metadata["name"],
        image=tree.image_of(manifests).rpartition("@")[2],
        following=tree.next_of(manifests),
    )
