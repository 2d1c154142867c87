"""`slipway take`: what the pipeline has computed in another job, out of the folder that it has handed over."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from slipway.adapters import tree
from slipway.commands import Json, Root, emit
from slipway.commands.record import made_by_the_pipeline
from slipway.errors import Rejected


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The files that were taken, by path from the repository's root."""

    schema_version: int = 1
    taken: tuple[str, ...]


def take(
    folder: Annotated[Path, typer.Argument(help="What another job has handed over.")],
    root: Root = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Take dvc.lock and artifacts/ from a folder into the checkout, and nothing else.

    The job that trains runs the code of a change and of its libraries; the one that takes from it may sign, or push. So
    with whatever else lies there, or is no plain file, nothing is taken.

    Examples:
    ```sh
    slipway take build/trained
    ```
    """
    handed_over = tree.read(folder)
    if strange := [name for name in handed_over if not made_by_the_pipeline(name)]:
        raise Rejected(f"{folder / strange[0]} is nothing that the pipeline makes", "Look at the job that made it.")
    inside = root.resolve()
    for name in handed_over:
        if (inside / name).resolve() != inside / name:  # what was committed is of the change, too
            raise Rejected(f"{root / name} lies behind a link", "Make it a plain file of the repository.")
    for name, (content, _) in handed_over.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    emit(Taken(taken=tuple(handed_over)), f"[green]taken[/] {', '.join(handed_over)}", as_json=as_json)
