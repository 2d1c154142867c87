"""The small profile that every area shares: real flights, thinned, run through the real stages."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import settings
from tests import checkout

from slipway import quiet  # noqa: F401  # before any library reads the environment

# Neither the user's git configuration (signing, hooks) nor the GIT_DIR of a hook that runs the tests is part of them.
for name in [name for name in os.environ if name.startswith("GIT_")]:
    del os.environ[name]
os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
os.environ |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}

settings.register_profile("slipway", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("slipway")

ROOT = Path(__file__).parents[1]
REPOSITORY: str = yaml.safe_load((ROOT / "signing/policy.yaml").read_text())["repository"]  # a fork has its own
NAME = urlsplit(REPOSITORY).path[1:]
MONTHS = ("2013-03", "2013-04")
FLIGHTS_A_MONTH = 2400
IDENTITY = {f"GIT_{who}_{key}": "test@slipway.invalid" for who in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
STAGES = {
    "validate": ["--data", "data", "--out", "artifacts/validation.json"],
    "prepare": ["--data", "data", "--out", "artifacts/splits"],
    "train": ["--splits", "artifacts/splits", "--out", "artifacts/model"],
    "evaluate": [
        *("--splits", "artifacts/splits", "--model", "artifacts/model"),
        *("--metrics", "artifacts/metrics.json", "--plots", "artifacts/plots"),
    ],
}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep in one worker what shares a trained project, a demo, or three bundles."""
    for item in items:
        folder, module = item.path.parent.name, item.path.stem
        if folder in ("demo", "gate", "live", "workflows") or module == "test_crash":
            item.add_marker(pytest.mark.xdist_group(folder))


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder, as a stage does that DVC runs."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@dataclass(frozen=True)
class Project:
    """A folder with data/, params.yaml and dvc.yaml, in which stages run in this process."""

    root: Path

    def run(self, *stages: str) -> "Project":
        """Run stages, by default all but the slow validation."""
        with inside(self.root):
            for stage in stages or ("prepare", "train", "evaluate"):
                import_module(f"slipway.stages.{stage}").main(STAGES[stage])
        return self

    def params(self, **changes: Any) -> "Project":
        """Change parameters, by dotted name with `__` for the dot: train__parity=1e-9."""
        path = self.root / "params.yaml"
        raw = yaml.safe_load(path.read_text())
        for name, value in changes.items():
            *sections, key = name.split("__")
            target = raw
            for section in sections:
                target = target[section]
            target[key] = value
        path.write_text(yaml.safe_dump(raw))
        return self

    def flights(self, change: Callable[[Any], Any], month: str | None = None) -> "Project":
        """Rewrite the flights of a month, or of all, through a function from frame to frame."""
        import polars as pl

        for path in sorted((self.root / "data" / "flights").glob(f"{month or '*'}.parquet")):
            change(pl.read_parquet(path)).write_parquet(path)
        return self

    def command(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a tool of this environment in the folder, with the folder's own code."""
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | IDENTITY | {"PATH": tools, "PYTHONPATH": str(self.root / "src")} | variables
        return subprocess.run(arguments, cwd=self.root, env=environment, capture_output=True, text=True, check=False)

    def commit(self, message: str) -> str:
        """Commit everything; returns the commit."""
        for arguments in (("add", "--all"), ("commit", "--quiet", "--allow-empty", "-m", message)):
            done = self.command("git", *arguments)
            assert done.returncode == 0, done.stderr
        return self.command("git", "rev-parse", "HEAD").stdout.strip()


@contextmanager
def authored() -> Iterator[None]:
    """Commit as somebody, in this process as in those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in IDENTITY.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def author() -> Iterator[None]:
    """Somebody commits."""
    with authored():
        yield


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/ of the small profile; read only, copy before changing it."""
    import polars as pl

    full = ROOT / "data"
    assert (full / "planes.parquet").exists(), "no data: `make data` pulls it from the sample remote"
    data = tmp_path_factory.mktemp("small") / "data"
    for kind in ("flights", "weather"):
        (data / kind).mkdir(parents=True)
        for month in MONTHS:
            table = pl.read_parquet(full / kind / f"{month}.parquet")
            step = max(1, table.height // FLIGHTS_A_MONTH) if kind == "flights" else 1
            table.gather_every(step).head(FLIGHTS_A_MONTH if kind == "flights" else table.height).write_parquet(
                data / kind / f"{month}.parquet"
            )
    shutil.copy(full / "planes.parquet", data)
    return data


@pytest.fixture(scope="session")
def make_project(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """Return a function that makes a fresh project of the small profile, nothing run yet."""

    def make() -> Project:
        root = tmp_path_factory.mktemp("project")
        shutil.copytree(small_data, root / "data")
        shutil.copy(ROOT / "tests" / "small" / "params.yaml", root)
        shutil.copy(ROOT / "dvc.yaml", root)
        return Project(root)

    return make


@pytest.fixture(scope="session")
def trained(make_project: Callable[[], Project]) -> Project:
    """A project of the small profile with its model trained and evaluated; read only."""
    return make_project().run()


@pytest.fixture(scope="session")
def small_repository(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree as a repository of its own, with the parameters and the data of the small profile."""
    root = tmp_path_factory.mktemp("small") / "repository"
    checkout.copy(root)
    shutil.copy(ROOT / "tests/small/params.yaml", root)
    shutil.copytree(small_data, root / "data")
    (root / "dvc.lock").unlink()
    environment = os.environ | IDENTITY | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in (
        "git init -q -b main",
        "dvc add -q data",
        "dvc push -q data.dvc",
        "git add -A",
        "git commit -qm Begin",
    ):
        subprocess.run(command.split(), cwd=root, env=environment, check=True, capture_output=True)
    return root


@pytest.fixture(scope="session")
def copy_repository(small_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """Return a function that copies the small repository, as a project to change and run DVC in."""

    def copy() -> Project:
        root = tmp_path_factory.mktemp("copy") / "repository"
        shutil.copytree(small_repository, root, symlinks=True)
        return Project(root)

    return copy
