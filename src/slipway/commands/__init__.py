"""Acts on the world: one module per verb. Heavy libraries are imported inside the functions that use them.

Every verb ends with 0 (accepted), 1 (rejected) or 2 (broken), and prints either text for a person or, with `--json`,
one JSON document and nothing else.

What verbs share:

options      options, and how their values are read
shelf        releases/ in a tree, read and written
agreed       releases/ at a commit: what guards are read from
past         releases/ at every commit of main: what history, status and audit are read from
guarded      whether a tree only adds to releases/, and runs nothing that is quarantined
settling     how promote, revert, rollback and release --carry become one commit on main
mirrors      what follows that commit: the registry, and people
deciding     whether an environment's traffic can decide a canary
evidence     what the gate must know

Parts of one verb begin with its name: rehearse_*, demo_*, audit_*; source_revert is a part of revert.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console, RenderableType

from slipway import records

BUILD = Path("build")  # what verbs make on the way, in no commit
DECISION, REPORT = BUILD / "gate.json", BUILD / "report.json"
MODEL, METRICS = Path("artifacts/model"), Path("artifacts/metrics.json")  # what dvc.yaml's stages make
VALIDATION = Path("artifacts/validation.json")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Root = Annotated[Path, typer.Option("--root", help="The repository.", exists=True, file_okay=False)]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow; by default mlflow.db in the repository."
    ),
]

console = Console(highlight=False)
progress = Console(highlight=False, stderr=True)  # what happens meanwhile is not the result


def emit(result: msgspec.Struct, text: RenderableType, *, as_json: bool) -> None:
    """Print a verb's result, as JSON or as text for a person; in a workflow its record is the step's outputs, too."""
    if outputs := os.environ.get("GITHUB_OUTPUT"):
        with Path(outputs).open("a", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in _outputs(msgspec.to_builtins(result)))
    if as_json:
        sys.stdout.write(records.dumps(result))
    else:
        console.print(text, soft_wrap=True)  # a digest on two lines cannot be copied


def _outputs(record: dict[str, Any], above: str = "") -> Iterator[str]:
    """What of a record later steps may read: its words, whole numbers and yes or no, one line each."""
    for key, value in record.items():
        name = f"{above}{key}"
        if isinstance(value, dict):
            yield from _outputs(value, f"{name}_")
        elif isinstance(value, bool):
            yield f"{name}={'true' if value else 'false'}"
        elif isinstance(value, int | str) and str(value).isprintable():  # with a line break it would be two outputs
            yield f"{name}={value}"
