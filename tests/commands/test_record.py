"""`slipway record`: what the pipeline computed becomes one commit, and nothing else does."""

import subprocess
from pathlib import Path

import pytest
from tests.conftest import authored

from slipway.adapters.git import Repository
from slipway.commands.record import SUBJECT, record
from slipway.errors import Broken, Rejected


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A clone of an origin, whose main has inputs and a lock."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "origin")], check=True)
    subprocess.run(["git", "clone", "-q", str(tmp_path / "origin"), str(tmp_path / "clone")], check=True)
    found = Repository(tmp_path / "clone")
    with authored():
        write(found, "params.yaml", "trees: 1")
        write(found, "dvc.lock", "one")
        push(found, "Begin")
        yield found


def lock(trees: int, model: str) -> str:
    """A dvc.lock of two stages."""
    made = f"{{path: model, md5: {model}}}"
    train = f"train: {{cmd: train, deps: [{{path: data, md5: a}}], params: {{trees: {trees}}}, outs: [{made}]}}"
    return f"stages: {{{train}, evaluate: {{cmd: evaluate, deps: [{made}]}}}}"


def write(repository: Repository, name: str, text: str) -> None:
    """Write a file."""
    path = repository.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def push(repository: Repository, message: str) -> None:
    """Commit all, and push it."""
    repository.git("add", "--all")
    repository.git("commit", "-qm", message)
    repository.git("push", "-q", "origin", "HEAD:main")


def subjects(repository: Repository, branch: str = "main") -> list[str]:
    """What the origin's branch holds, the newest first."""
    repository.git("fetch", "-q", "origin")
    return repository.git("log", "--format=%s", f"origin/{branch}").splitlines()


def outputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a workflow's step leaves what others may read."""
    path = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))
    return path


def test_what_was_computed_is_recorded_once(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One commit on main; the next time, the commit holds it already. The step's outputs say which it was."""
    told = outputs(monkeypatch, tmp_path)
    write(repository, "dvc.lock", "two")
    write(repository, "artifacts/metrics.json", "{}")
    record(root=repository.root)
    assert subjects(repository) == [SUBJECT, "Begin"]
    assert "recorded=true" in told.read_text().splitlines()
    record(root=repository.root)
    assert subjects(repository) == [SUBJECT, "Begin"]
    assert told.read_text().splitlines().count("recorded=false") == 1


def test_a_branch_is_recorded_on_itself(repository: Repository) -> None:
    """Main does not move."""
    write(repository, "dvc.lock", "two")
    record(branch="more-trees", root=repository.root)
    assert (subjects(repository, "more-trees")[0], subjects(repository)) == (SUBJECT, ["Begin"])


def test_other_inputs_are_not_recorded_over(repository: Repository) -> None:
    """What was trained on a commit is not written where the inputs have changed since; releases are no inputs."""
    trained = repository.head()
    write(repository, "releases/1.0.0.json", "{}")
    push(repository, "Release 1.0.0")
    write(repository, "dvc.lock", "two")
    record(trained=trained, root=repository.root)
    write(repository, "params.yaml", "trees: 2")
    push(repository, "More trees")
    write(repository, "dvc.lock", "three")
    with pytest.raises(Rejected, match=r"main has moved on since .*: params.yaml"):
        record(trained=trained, root=repository.root)


def test_a_training_without_fixed_bytes_does_not_go_on_for_ever(repository: Repository) -> None:
    """A record of the same inputs that says otherwise is refused, not written over."""
    write(repository, "dvc.lock", lock(1, "b"))
    record(root=repository.root)
    write(repository, "dvc.lock", lock(1, "c"))
    with pytest.raises(Rejected, match="other bytes of the same inputs"):
        record(root=repository.root)
    assert subjects(repository) == [SUBJECT, "Begin"]


def test_a_record_of_other_inputs_is_written_over(repository: Repository) -> None:
    """As when the branch was moved to a main that has changed meanwhile."""
    write(repository, "dvc.lock", lock(1, "b"))
    record(root=repository.root)
    write(repository, "dvc.lock", lock(2, "c"))
    record(root=repository.root)
    assert subjects(repository) == [SUBJECT, SUBJECT, "Begin"]


def test_a_person_s_record_is_not_believed(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be of a laptop with other libraries: what was computed here is recorded over it."""
    write(repository, "dvc.lock", lock(1, "b"))
    record(root=repository.root)
    write(repository, "dvc.lock", lock(1, "c"))
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "machine@slipway.invalid")
    record(root=repository.root)
    assert subjects(repository) == [SUBJECT, SUBJECT, "Begin"]


@pytest.mark.parametrize("name", ["params.yaml", "src/model.py", "note", "dvc.lock.orig"])
def test_only_records_are_committed(name: str, repository: Repository) -> None:
    """A change that no pipeline makes is not slipped in."""
    write(repository, "dvc.lock", "two")
    write(repository, name, "changed")
    with pytest.raises(Rejected, match="no pipeline made"):
        record(root=repository.root)


def test_who_was_slower_is_told(repository: Repository, tmp_path: Path) -> None:
    """Somebody else pushed to the branch: refused, and the files are as they were."""
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "-q", str(tmp_path / "origin"), str(other)], check=True)
    write(Repository(other), "note", "for colleagues")
    push(Repository(other), "Write a note")
    write(repository, "dvc.lock", "two")
    with pytest.raises(Rejected, match="somebody else pushed to main first"):
        record(root=repository.root)
    assert subjects(repository) == ["Write a note", "Begin"]


def test_a_commit_that_is_not_here_is_no_answer(repository: Repository) -> None:
    """A shallow clone cannot tell."""
    with pytest.raises(Broken, match="there is no commit"):
        record(trained=40 * "a", root=repository.root)
