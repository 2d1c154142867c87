"""dvc.yaml names the code that each stage runs: what it does not name can change without the stage running again."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CODE = ROOT / "src" / "slipway"
PLUMBING = {"adapters/files.py", "digests.py", "errors.py", "params.py", "quiet.py", "records.py"}  # compute nothing
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def imported(path: Path) -> Iterator[Path]:
    """The modules of this package that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "slipway":
            folder = ROOT / "src" / str(node.module).replace(".", "/")
            yield from (found for name in node.names if (found := folder / f"{name.name}.py").exists())
            yield from (found for found in [folder.with_suffix(".py")] if found.exists())


def reached(path: Path) -> set[str]:
    """The modules that a module reaches, itself included, by path below src/slipway."""
    found, todo = {path}, [path]
    while todo:
        new = set(imported(todo.pop())) - found
        found |= new
        todo += new
    return {module.relative_to(CODE).as_posix() for module in found} - PLUMBING


@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_the_code_it_reaches(stage: str) -> None:
    """The dependencies in the package are exactly the modules that the stage's own reaches."""
    prefix = "src/slipway/"
    named = {path.removeprefix(prefix) for path in STAGES[stage]["deps"] if path.startswith(prefix)}

    assert named == reached(CODE / "stages" / f"{stage}.py")
