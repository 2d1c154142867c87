"""`slipway retrain`: new data become a branch, and a pull request."""

import shutil
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from slipway import quarantine, recipe, schema
from slipway.adapters import dvc, files, github
from slipway.adapters.git import REMOTE, Repository
from slipway.commands import Json, Root, agreed, emit
from slipway.errors import Broken, Rejected

DATA, TRACKED = Path("data"), "data.dvc"


class Retrained(msgspec.Struct, frozen=True, kw_only=True):
    """The month that was added, and the branch that adds it; neither where nothing has arrived."""

    schema_version: int = 1
    month: str | None
    branch: str | None


def retrain(
    *,
    batch: Annotated[Path, typer.Option("--batch", help="What has arrived, a folder like data/.")],
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Add the next month that has arrived to data/, and open a pull request that trains on it.

    Runs in a workflow on GitHub, in a checkout of main with its data. The data are sent to the DVC remote first, then a
    branch is pushed, then the pull request is opened; each once. Refused while main's recipe is quarantined: new data
    do not mend it.

    Examples:
    ```sh
    slipway retrain --batch replay
    ```
    """
    from slipway.adapters.flights import months

    repository = Repository(root.resolve())
    repository.require_main()
    _require_free(repository)
    there = months(repository.root / DATA)
    if not there:
        raise Broken(f"{DATA} holds no month", f"dvc pull {TRACKED}")
    month = next((one for one in months(repository.root / batch) if one > there[-1]), None)
    if month is None:
        emit(Retrained(month=None, branch=None), f"{batch} holds nothing after {there[-1]}", as_json=as_json)
        return
    for table in schema.MONTHLY:
        shutil.copy(repository.root / batch / table / f"{month}.parquet", repository.root / DATA / table)
    dvc.add(repository.root, str(DATA))
    dvc.push(repository.root, TRACKED)
    changed = repository.dirty()

    def change(worktree: Repository) -> str:
        for name in (path for each in changed for path in _files(repository.root / each)):
            at = worktree.root / name.relative_to(repository.root)
            at.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, at)
        return f"Add the data of {month}"

    branch = f"slipway/data-{month}"
    repository.branch_off(change, branch)
    about = (f"Add the data of {month}", f"Arrived in `{batch}`. The run of `train` says more.")
    if not github.here().open_pull_request(branch, *about):
        raise Rejected(
            f"the pull request of {branch} was closed: somebody does not want the data of {month}",
            f"Open it again, or add {month} to data/ yourself: what is later comes after it.",
        )
    done = f"[green]proposed[/] the data of {month}: {REMOTE}/{branch}"
    emit(Retrained(month=month, branch=branch), done, as_json=as_json)


def _require_free(repository: Repository) -> None:
    main = agreed.newest(repository).state()
    made_by = recipe.digest(files.read_matching(repository.root, recipe.PATTERNS))
    if reasons := quarantine.reasons(main.quarantine, {"recipe": made_by}, main.releases):
        raise Rejected("; ".join(reasons), "Merge the branch that takes it back, or mend the recipe; then retrain.")


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
