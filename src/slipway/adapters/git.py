"""Git, by its own command line: read any commit, commit a few paths, push by compare-and-swap."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from slipway.errors import Broken, Rejected

REMOTE, BRANCH = "origin", "main"


@dataclass(frozen=True)
class Repository:
    """A checkout. Every failing command raises Broken with what git said."""

    root: Path

    def git(self, *arguments: str) -> str:
        """Run git and return what it printed, without the final newline."""
        done = self._run(*arguments)
        if done.returncode:
            raise Broken(f"git {arguments[0]} failed in {self.root}: {done.stderr.strip()}", "Mend what git names.")
        return done.stdout.removesuffix("\n")

    def commit_of(self, reference: str) -> str | None:
        """The commit that a reference names, or None."""
        done = self._run("rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
        return done.stdout.strip() or None

    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def dirty(self) -> list[str]:
        """Tracked files with changes that no commit holds, and untracked ones that are not ignored."""
        return [line[3:] for line in self.git("status", "--porcelain").splitlines()]

    def show(self, reference: str, path: str) -> str | None:
        """The text of a file in a commit, or None where that commit has no such file."""
        done = self._run("show", f"{reference}:{path}")
        return None if done.returncode else done.stdout

    def blobs(self, ids: Iterable[str]) -> dict[str, str]:
        """The texts of many objects, by their ids, read by one process."""
        asked = sorted(set(ids))
        command = ["git", "cat-file", "--batch"]
        done = subprocess.run(command, cwd=self.root, input="\n".join(asked).encode(), capture_output=True, check=False)
        if done.returncode:
            raise Broken(f"git cat-file failed in {self.root}: {done.stderr.decode().strip()}", "Mend what git names.")
        texts, stream = {}, BytesIO(done.stdout)
        for each in asked:
            told = stream.readline().decode().split()[-1]
            if told == "missing":
                raise Broken(f"{self.root} lacks the object {each}", "Fetch it: git fetch --refetch, or clone again.")
            texts[each] = stream.read(int(told)).decode()
            stream.readline()
        return texts

    def fetch(self) -> None:
        """Bring the remote branch's state here."""
        self.git("fetch", "--quiet", REMOTE, BRANCH)

    def require_clean(self) -> None:
        """See that nothing stands beside the commits.

        Raises:
            Rejected: a tracked file differs, or an untracked one is not ignored.

        """
        if dirty := self.dirty():
            raise Rejected(f"the tree has changes that no commit holds: {', '.join(dirty[:5])}", "Commit or undo them.")

    def require_main(self) -> None:
        """See that the checkout is what everybody sees: clean, and at the tip of main.

        Raises:
            Rejected: it is dirty, ahead, behind, or elsewhere.

        """
        self.require_clean()
        self.fetch()
        if self.head() != self.commit_of(f"{REMOTE}/{BRANCH}"):
            raise Rejected(
                f"the checkout is not at {REMOTE}/{BRANCH}", f"git pull --rebase {REMOTE} {BRANCH}, and push."
            )

    def is_ancestor(self, commit: str) -> bool:
        """Whether the checked-out commit has this one in its history."""
        return self._run("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0

    def publish(self, paths: list[str], message: str) -> str:
        """Commit `paths` on the checked-out branch and push it to main; when that fails, the paths are as before.

        Raises:
            Rejected: the remote answered no, as when somebody else pushed to main first.
            Broken: git could not commit, or could not reach the remote.

        """
        before = self.head()
        self.git("add", "--all", "--", *paths)
        committed = self._run("commit", "--quiet", "--message", message, "--", *paths)
        if committed.returncode:
            self.git("restore", "--source", before, "--staged", "--worktree", "--", *paths)
            raise Broken(f"git commit failed in {self.root}: {committed.stderr.strip()}", "Mend what git names.")
        done = self._run("push", "--porcelain", REMOTE, f"HEAD:refs/heads/{BRANCH}")
        if done.returncode:
            self.git("reset", "--quiet", "--keep", before)
            answer = next((line for line in done.stdout.splitlines() if line.startswith("!")), None)
            if answer is None:
                raise Broken(f"{REMOTE} could not be pushed to: {done.stderr.strip()}", "Mend what git names.")
            raise Rejected(
                f"{REMOTE} did not take the commit: {answer.split(chr(9))[-1]}",
                f"If somebody pushed first: git pull --rebase {REMOTE} {BRANCH}, and run the command again.",
            )
        return self.head()

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
