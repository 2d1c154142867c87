"""Git, by its own command line: read any commit, commit a few paths, push by compare-and-swap."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from slipway.errors import Broken, Rejected, SlipwayError

REMOTE, BRANCH = "origin", "main"
QUIET = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}  # its words are read here, and nobody is there to ask
QUIET |= {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60"}  # nor waits for a remote that says nothing
ELSEWHERE = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}  # of a hook that started us; ours is the folder
PATIENCE = 300.0  # seconds in which others may be faster
# What git says where somebody pushed first; anything else after "!" is the remote's refusal.
FASTER = ("fetch first", "non-fast-forward", "stale info", "cannot lock ref", "incorrect old value")


class Faster(Exception):
    """Somebody else pushed to main between the fetch and the push."""


@dataclass(frozen=True)
class Repository:
    """A checkout. Every failing command raises Broken with what git said."""

    root: Path
    options: tuple[str, ...] = ()  # of git itself
    main: str = f"{REMOTE}/{BRANCH}"  # by which main is known here, as it was when it was fetched last

    def git(self, *arguments: str, given: str | None = None) -> str:
        """Run git on what is given, and return what it printed, without the final newline."""
        done = self._run(*arguments, given=given)
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
        done = self._process("cat-file", "--batch", given="\n".join(asked))
        if done.returncode:
            raise Broken(f"git cat-file failed in {self.root}: {_text(done.stderr).strip()}", "Mend what git names.")
        texts, stream = {}, BytesIO(done.stdout)
        for each in asked:
            told = stream.readline().decode().split()[-1]
            if told == "missing":
                raise Broken(f"{self.root} lacks the object {each}", "Fetch it: git fetch --refetch, or clone again.")
            try:
                texts[each] = stream.read(int(told)).decode()
            except UnicodeDecodeError:
                raise Broken(
                    f"the object {each} is no text", f"See whose it is: git log --find-object={each}"
                ) from None
            stream.readline()
        return texts

    def texts(self, commit: str, folder: str, ending: str) -> dict[str, str]:
        """The files of a folder in a commit whose names end so, by name."""
        listed = self.git("ls-tree", "-z", commit, f"{folder}/").split("\0")
        blobs = {
            Path(path).name: about.split()[2] for about, _, path in (each.partition("\t") for each in listed if each)
        }
        found = self.blobs(blob for name, blob in blobs.items() if name.endswith(ending))
        return {name: found[blob] for name, blob in blobs.items() if name.endswith(ending)}

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

    def publish(self, paths: list[str], message: str, branch: str = BRANCH) -> str:
        """Commit `paths` on what is checked out and push it to a branch; when that fails, the paths are as before.

        Raises:
            Rejected: the remote answered no, as when somebody else pushed to the branch first.
            Broken: git could not commit, or could not reach the remote.

        """
        before = self.head()
        self.git("add", "--all", "--", *paths)
        committed = self._run("commit", "--quiet", "--file=-", "--", *paths, given=message)
        if committed.returncode:
            self.git("restore", "--source", before, "--staged", "--worktree", "--", *paths)
            raise Broken(f"git commit failed in {self.root}: {committed.stderr.strip()}", "Mend what git names.")
        try:
            self._push(f"HEAD:refs/heads/{branch}")
        except (Faster, SlipwayError) as error:
            self.git("reset", "--quiet", "--keep", before)
            if not isinstance(error, Faster):
                raise
            raise Rejected(
                f"{REMOTE} did not take the commit: somebody else pushed to {branch} first",
                f"git pull --rebase {REMOTE} {branch}, and run the command again.",
            ) from None
        return self.head()

    def compare_and_swap(self, change: Callable[["Repository"], str | None]) -> str:
        """Change main: `change` gets a throw-away tree at the newest main, writes, and returns a message, or None.

        When somebody else was faster, it is asked again with what they have pushed. Nothing of the caller's own tree is
        read or written; in the end a clean main is fast-forwarded. Returns the commit that main is known to have.

        Raises:
            Rejected: the remote refused.
            Broken: it could not be reached, others were faster for minutes, or git does not know who commits.

        """
        import tenacity  # which imports tornado

        self._require_identity()
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Faster),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=5),
            stop=tenacity.stop_after_delay(PATIENCE),
            reraise=True,
        )
        try:
            with self.throw_away() as tree:
                commit: str = attempts(tree.attempt, change)
        except Faster as error:
            raise Broken(
                f"others pushed to {REMOTE}/{BRANCH} first, again and again: {error}", "Run it again."
            ) from None
        self._follow(commit)
        return commit

    def branch_off(self, change: Callable[["Repository"], str | None], name: str) -> str:
        """As `compare_and_swap`, but push to a branch; one that is there already stays: people may be at work on it.

        Raises:
            Rejected: the remote refused.
            Broken: it could not be reached, or git does not know who commits.

        """
        self._require_identity()
        with self.throw_away() as tree:
            try:
                return tree.attempt(change, f"HEAD:refs/heads/{name}")
            except Faster:
                return self.git("ls-remote", REMOTE, f"refs/heads/{name}").split()[0]

    def attempt(self, change: Callable[["Repository"], str | None], to: str = f"HEAD:refs/heads/{BRANCH}") -> str:
        """Bring this tree to the newest main, change it, and push; a throw-away tree only.

        Raises:
            Faster: main moved meanwhile.

        """
        self.git("fetch", "--quiet", "--no-tags", "--refmap=", REMOTE, f"refs/heads/{BRANCH}")
        self.git("checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
        self.git("clean", "--quiet", "-ffdx")
        message = change(self)
        if message is None:
            return self.head()
        self.git("add", "--all", "--force")  # whatever a person's own excludes say
        self.git("commit", "--quiet", "--file=-", given=message)
        self._push(to)
        return self.head()

    def find(self, lines: Iterable[str], below: str = "HEAD") -> str | None:
        """The newest commit, from `below` on, whose message has all these lines, or None."""
        patterns = ["--grep=^" + line.replace(".", "[.]") + "$" for line in lines]
        command = ("log", "--max-count=1", "--format=%H", "--extended-regexp", "--all-match", *patterns, below)
        return self.git(*command) or None

    def mark(self, commit: str, name: str) -> None:
        """Set a reference of the remote to a commit; setting it again changes nothing."""
        self._push(f"{commit}:{name}")

    def marked(self, name: str) -> bool:
        """Whether the remote has a reference."""
        return bool(self.git("ls-remote", REMOTE, name))

    def _push(self, what: str) -> None:
        done = self._run("push", "--porcelain", REMOTE, what)
        if done.returncode == 0:
            return
        said = done.stdout + done.stderr
        answer = next((line for line in done.stdout.splitlines() if line.startswith("!")), None)
        if "hook declined" not in (answer or "") and any(word in said for word in FASTER):
            raise Faster(done.stderr.strip())
        if answer is None:
            raise Broken(
                f"{REMOTE} could not be pushed to: {done.stderr.strip()}", "Mend what git names, run it again."
            )
        heard = " ".join(line.removeprefix("remote:").strip() for line in done.stderr.splitlines() if "remote:" in line)
        raise Rejected(
            f"{REMOTE} refused the commit: {answer.split(chr(9))[-1]} {heard}".strip(),
            "Let whoever runs this push to main, or mend what the remote's hook names.",
        )

    @contextmanager
    def throw_away(self) -> Iterator["Repository"]:
        """A working tree of its own inside .git; one at a time, and that of a run that was killed is cleared away."""
        common = Path(self.git("rev-parse", "--path-format=absolute", "--git-common-dir"))
        folder = common / "slipway"
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._clear(folder)
            path = Path(tempfile.mkdtemp(dir=folder, prefix="tree."))
            try:
                self.git("worktree", "add", "--quiet", "--detach", "--no-checkout", str(path), self.head())
                yield Repository(path, self._whole(), main="HEAD")
            finally:
                self._clear(folder)

    def _whole(self) -> tuple[str, ...]:
        """Options by which a tree of this clone elsewhere has every file, and the remote that a relative path names."""
        whole = ("-c", "core.sparseCheckout=false")
        address = self._run("remote", "get-url", REMOTE).stdout.strip()
        top = self._run("rev-parse", "--show-toplevel").stdout.strip()
        remote = (Path(top) if top else self.root) / address
        if not address or Path(address).is_absolute() or not remote.exists():
            return whole
        return (*whole, "-c", f"url.{remote.resolve()}.insteadOf={address}")

    def _clear(self, folder: Path) -> None:
        for left in folder.glob("tree.*"):
            shutil.rmtree(left, ignore_errors=True)
        self._run("worktree", "prune")

    def _follow(self, commit: str) -> None:
        """Fast-forward the checkout, where it is a clean main: what was just done is what the caller sees."""
        here = self._run("rev-parse", "--is-inside-work-tree", "--symbolic-full-name", "HEAD").stdout.split()
        if here == ["true", f"refs/heads/{BRANCH}"] and not self.dirty():
            self._run("merge", "--quiet", "--ff-only", commit)

    def _require_identity(self) -> None:
        for who in ("AUTHOR", "COMMITTER"):
            if self._run("-c", "user.useConfigOnly=true", "var", f"GIT_{who}_IDENT").returncode:
                raise Broken(
                    f"git does not know who commits in {self.root}",
                    f"git config user.name and user.email; for a machine GIT_{who}_NAME and GIT_{who}_EMAIL.",
                )

    def _run(self, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        done = self._process(*arguments, given=given)
        return subprocess.CompletedProcess(done.args, done.returncode, _text(done.stdout), _text(done.stderr))

    def _process(self, *arguments: str, given: str | None) -> "subprocess.CompletedProcess[bytes]":
        environment = {key: value for key, value in os.environ.items() if key not in ELSEWHERE} | QUIET
        command, text = ["git", *self.options, *arguments], (given or "").encode()
        try:
            return subprocess.run(command, cwd=self.root, env=environment, input=text, capture_output=True, check=False)
        except OSError as error:
            raise Broken(f"git cannot be run in {self.root}: {error.strerror}", "Install git, or mend $PATH.") from None


def _text(printed: bytes) -> str:
    """What git printed; an author of long ago may have a name in Latin-1."""
    return printed.decode(errors="replace").replace("\r\n", "\n")
