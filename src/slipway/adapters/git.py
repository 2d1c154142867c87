"""Git, by its own command line: read any commit, commit a few paths, push by compare-and-swap."""

import subprocess
from dataclasses import dataclass
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

    def fetch(self) -> None:
        """Bring the remote branch's state here."""
        self.git("fetch", "--quiet", REMOTE, BRANCH)

    def publish(self, paths: list[str], message: str) -> str:
        """Commit `paths` on the checked-out branch and push it to main; when that fails, the paths are as before.

        Raises:
            Rejected: the remote did not take it, as when somebody else pushed to main first.
            Broken: git could not commit.

        """
        before = self.head()
        self.git("add", "--all", "--", *paths)
        committed = self._run("commit", "--quiet", "--message", message, "--", *paths)
        if committed.returncode:
            self.git("restore", "--source", before, "--staged", "--worktree", "--", *paths)
            raise Broken(f"git commit failed in {self.root}: {committed.stderr.strip()}", "Mend what git names.")
        done = self._run("push", "--quiet", REMOTE, f"HEAD:refs/heads/{BRANCH}")
        if done.returncode:
            self.git("reset", "--quiet", "--keep", before)
            raise Rejected(
                f"{REMOTE} did not take the commit: {done.stderr.strip().splitlines()[-1]}",
                f"If somebody pushed first: git pull --rebase {REMOTE} {BRANCH}, and run the command again.",
            )
        return self.head()

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
