"""Each call that verifies a release is needed: without it, and all else as it is, a test is red."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT
from tests.full import world as worlds
from tests.full.test_callers import MADE

COMMANDS = ROOT / "src/slipway/commands"
ASKS = {
    "built",
    "released",
    "require_same_gate",
    "require_same_model",
}  # of verifying: each raises where something is not as it was signed
TELLING = {"rebuild", "sign", "verify"}  # they act on nothing, and without the call have nothing to tell
CALLERS, UNSIGNED = "tests/full/test_callers.py::", "tests/outcomes/test_unsigned.py::"
GUARDED_BY = {
    "evidence.released 1": CALLERS + "test_what_was_released_is_refused[gate --stable-kept_gone]",
    "evidence.released 2": CALLERS + "test_what_was_released_is_refused[gate-kept_gone]",
    "evidence.require_same_model 1": CALLERS + "test_gate_refuses_a_stable_whose_image_has_another_model",
    "evidence.require_same_model 2": CALLERS + "test_gate_refuses_a_champion_that_the_registry_tells_otherwise",
    "guarded.released 1": CALLERS + "test_what_was_released_is_refused[manifests check-kept_gone]",
    "pull.released 1": CALLERS + "test_what_was_released_is_refused[pull-kept_gone]",
    "register.built 1": CALLERS + "test_what_is_at_hand_is_refused[register-bento]",
    "register.require_same_gate 1": CALLERS + "test_what_is_at_hand_is_refused[register-decision]",
    "register.require_same_model 1": CALLERS + "test_register_refuses_a_model_that_was_committed_after_it_was_signed",
    "release.built 1": CALLERS + "test_what_is_at_hand_is_refused[release-bento]",
    "release.require_same_gate 1": CALLERS + "test_what_is_at_hand_is_refused[release-decision]",
    "release.released 1": UNSIGNED + "test_what_is_not_as_it_was_signed_goes_nowhere[no statement]",
    "rollback.released 1": UNSIGNED + "test_what_is_not_as_it_was_signed_goes_nowhere[no statement]",
    "serve.released 1": CALLERS + "test_what_was_released_is_refused[serve-kept_gone]",
}
ANYTHING = '''"""In the place of a call that verifies: whatever is asked of it, it agrees."""

class Anything(str):
    __hash__ = str.__hash__
    def __new__(cls, *_: object) -> "Anything":
        return super().__new__(cls, "anything")
    def __call__(self, *_: object) -> "Anything":
        return self
    def __getattr__(self, _name: str) -> "Anything":
        return self
    def __getitem__(self, _key: object) -> "Anything":
        return self
    def __eq__(self, _other: object) -> bool:
        return True
    def __ne__(self, _other: object) -> bool:
        return False
'''


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    """The calls of a module that verify, in the order of its lines."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and asks(node.func)]
    yield from sorted(found, key=lambda node: node.lineno)


def asks(function: ast.expr) -> bool:
    """Whether an expression is one of the functions that verify."""
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "verifying"
        and function.attr in ASKS
    )


def named() -> Iterator[tuple[str, Path, int]]:
    """Every such call by its name, with the module and its place among those there."""
    for path in sorted(COMMANDS.glob("*.py")):
        seen: list[str] = []
        for place, call in enumerate(calls(ast.parse(path.read_text()))):
            seen.append(ast.unparse(call.func).removeprefix("verifying."))
            if path.stem not in TELLING:
                yield f"{path.stem}.{seen[-1]} {seen.count(seen[-1])}", path, place


def without(source: str, place: int) -> str:
    """A module in which one such call agrees to whatever it is asked."""
    tree = ast.parse(source)
    list(calls(tree))[place].func = ast.parse("__import__('slipway.anything').anything.Anything", mode="eval").body
    return ast.unparse(tree)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code and its tests, to be changed; beside them all else as it is."""
    folder = tmp_path_factory.mktemp("mutated") / "repository"
    folder.mkdir()
    for path in ROOT.iterdir():
        if path.name in ("src", "tests"):
            shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.name not in (".git", "build"):
            (folder / path.name).symlink_to(path)
    (folder / "src/slipway/anything.py").write_text(ANYTHING)
    return folder


@pytest.fixture(scope="module")
def world(copy_repository: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with signed releases, made once for all processes."""
    if MADE in os.environ:
        return Path(os.environ[MADE])
    return worlds.make(copy_repository(), tmp_path_factory.mktemp("signed")).folder


def run(copied: Path, world: Path, *tests: str) -> "subprocess.CompletedProcess[str]":
    """Run tests on the copied code."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *tests],
        cwd=copied,
        env=os.environ | {"PYTHONPATH": str(copied / "src"), MADE: str(world), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_every_call_is_guarded() -> None:
    """A new caller is named above, with the test that is red without it."""
    assert {name for name, _, _ in named()} == set(GUARDED_BY)


def test_all_is_green_as_it_is(copied: Path, world: Path) -> None:
    """The tests pass on the unchanged copy: what they find below is the call that is missing."""
    done = run(copied, world, *sorted(set(GUARDED_BY.values())))
    assert (done.returncode, f"{len(set(GUARDED_BY.values()))} passed" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize(("name", "path", "place"), list(named()), ids=[name for name, _, _ in named()])
def test_without_it_a_test_is_red(copied: Path, world: Path, name: str, path: Path, place: int) -> None:
    """Verification left out, the verb goes on, and its test says so by a failure, not by an error of the mutation."""
    target = copied / path.relative_to(ROOT)
    target.write_text(without(path.read_text(), place))
    try:
        done = run(copied, world, GUARDED_BY[name])
    finally:
        target.write_text(path.read_text())
    assert (done.returncode, "1 failed" in done.stdout) == (1, True), done.stdout
    assert "NameError" not in done.stdout
    assert "AttributeError" not in done.stdout
