"""`slipway comment`: what a reviewer reads about a change, written by main's code from what a run has handed over."""

from pathlib import Path
from typing import Annotated

import typer

from slipway import comment as comments
from slipway import params, records, releases
from slipway.adapters import dvc, files
from slipway.adapters.git import Repository
from slipway.commands import BUILD, REPORT, VALIDATION, Json, Root, agreed, emit, progress
from slipway.commands.gate import before
from slipway.comment import Known
from slipway.errors import Broken
from slipway.records import Validation
from slipway.report import NOTHING, Data, Report

LARGEST = 1_000_000  # bytes of a record: hundreds of slices and months fit
OWNERS, PARAMS, TRACKED = ".github/CODEOWNERS", "params.yaml", "data.dvc"
SECTIONS = ("validate", *params.Guards.__struct_fields__, "monitor")  # of params.yaml: those that decide about a model


def comment(
    *,
    source: Annotated[Path, typer.Option("--from", help="What `slipway report` has written.")] = REPORT,
    commit: Annotated[str, typer.Option("--commit", help="That the run was about: of the event, not of the run.")] = (
        "HEAD"
    ),
    to: Annotated[Path, typer.Option("--to", help="The comment, in Markdown.")] = BUILD / "comment.md",
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Write the comment on a pull request: decision and reasons, metrics, slices, rehearsal, data, how to reproduce.

    It reads without images. Nothing of the change is run, and nothing that it says can become a link, a mention or
    markup: a workflow that may write comments runs this in a checkout of main, on a record that came from anywhere.
    What is no such record is as none, and the comment says so. Which guards the commit touches, and what data were
    there before, is read from Git here, by the last commit that everybody agreed on; so is the next version.

    Examples:
    ```sh
    slipway comment
    slipway comment --from artifact/report.json --commit "$HEAD_SHA" --to comment.md
    ```
    """
    repository = Repository(root.resolve())
    sha = repository.commit_of(commit)
    if sha is None:
        raise Broken(f"there is no commit {commit}", f"git fetch origin {commit}")
    base = repository.git("rev-parse", before(repository, sha))
    fork = repository.git("merge-base", base, sha)
    known = Known(
        commit=sha,
        base=base,
        version=releases.following(agreed.newest(repository).state().releases),
        guards=touched(repository, base, fork, sha),
        data=_data(repository, fork),
    )
    written = comments.comment(_handed_over(repository.root / source), known)
    files.write_text(repository.root / to, written.markdown)
    # Not the comment itself: in the log of a workflow, words may be commands to its runner.
    emit(written, f"[green]written[/] {to}, guards touched: {len(written.guards)}", as_json=as_json)


def _handed_over(path: Path) -> Report:
    """Read what a run has handed over, strictly; it must not keep the red line from being written."""
    try:
        return records.loads(Report, _bytes(path), path.name)
    except Broken:  # it quotes what was found there, which is nobody's word
        progress.print(f"[yellow]no report[/] {path.name} is not there, too large, or no such record")
        return NOTHING


def _bytes(path: Path) -> bytes:
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise Broken(f"{path.name} is no file of at most {LARGEST:,} bytes", "Look at the run that makes it.")
    return files.read_bytes(path)


def touched(repository: Repository, base: str, fork: str, commit: str) -> tuple[str, ...]:
    """Name the guards that a commit changes since it left main at `fork`: files, and sections of params.yaml.

    Raises:
        Broken: the base does not say what guards are.

    """
    owned = comments.guards(repository.show(base, OWNERS) or "")
    if not owned:
        raise Broken(f"{base} has no {OWNERS} that names a path: nobody knows what guards are", "Name them there.")
    below = [f":(top,glob){path}" for path in owned]
    # No setting of a person changes what diff-tree prints; a file that moved away is one that is gone.
    printed = repository.git("diff-tree", "-r", "-z", "--name-only", fork, commit, "--", *below)
    names = [name for name in printed.split("\0") if name not in ("", PARAMS)]
    return (*_sections(repository, fork, commit), *names)


def _sections(repository: Repository, *commits: str) -> tuple[str, ...]:
    """The sections of params.yaml that differ; all of the file where it cannot be read."""
    try:
        there, here = (files.parse_yaml(repository.show(each, PARAMS) or "", PARAMS) for each in commits)
    except Broken:
        return (PARAMS,)
    return tuple(f"{name} of {PARAMS}" for name in SECTIONS if there.get(name) != here.get(name))


def _data(repository: Repository, commit: str) -> Data | None:
    """The data of a commit; None where none have passed validation."""
    validation, tracked = (repository.show(commit, str(name)) for name in (VALIDATION, TRACKED))
    if validation is None or tracked is None:
        return None
    months = records.loads(Validation, validation, f"{VALIDATION} of {commit[:12]}").months
    return Data(digest=dvc.digest_in(tracked, f"{TRACKED} of {commit[:12]}"), months=months)
