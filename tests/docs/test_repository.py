"""Names that must agree, links that must lead somewhere, and numbers that must be the measured ones."""

import json
import os
import re
import subprocess
import sys
import tomllib
from html import unescape
from pathlib import Path

import pytest
import yaml

from slipway import demo, gate, params, quiet
from slipway.manifests import tree

ROOT = Path(__file__).parents[2]
IMPORTED_AS = {"cyclonedx-python-lib": "cyclonedx", "pyjwt": "jwt", "pyyaml": "yaml", "scikit-learn": "sklearn"}
USED_BY_NAME = {  # never imported here; each is there for one reason
    "httptools": "BentoML's server takes it when it is there",
    "import-linter": "lint-imports",
    "mypy": "make lint",
    "pandas-stubs": "mypy",
    "pip-audit": "check.yml",
    "pre-commit": "runs .pre-commit-config.yaml",
    "protobuf": "a bound for what skl2onnx needs",
    "psycopg": "SQLAlchemy takes it by the address of a ledger",
    "pytest-xdist": "pytest -n",
    "ruff": "make lint",
    "types-pyyaml": "mypy",
    "types-requests": "mypy",
    "zizmor": "check.yml",
}
TRAINING = (ROOT / "docs/training.md").read_text(encoding="utf-8")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def files(pattern: str) -> list[str]:
    """The repository's files of a kind, not those that it makes."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in listed if (ROOT / name).exists())


def anchors(page: Path) -> set[str]:
    """The names that links may give to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_a_stage_has_one_name() -> None:
    """A stage is a module, a section of the parameters with a type, and a section of the page, by the same name."""
    modules = {path.stem for path in (ROOT / "src/slipway/stages").glob("*.py")} - {"__init__"}
    sections = set(yaml.safe_load((ROOT / "params.yaml").read_text())) - {"gate", "monitor"}
    typed = set(params.Params.__struct_fields__) - {"gate", "monitor"}
    pages = set(re.findall(r"^### (\w+)$", TRAINING, re.MULTILINE))
    assert set(STAGES) == modules == sections == typed == pages


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_stands_on_itself(stage: str) -> None:
    """A stage runs its own module, depends on it, and on its own parameters; each dependency exists."""
    module, there = f"src/slipway/stages/{stage}.py", STAGES[stage]
    assert there["cmd"].startswith(f"python -m slipway.stages.{stage} ")
    assert module in there["deps"]
    assert stage in there["params"]
    assert all((ROOT / name).exists() for name in there["deps"] if name.startswith("src/"))


def test_small_profile_has_the_same_keys() -> None:
    """The parameters of the tests are those of the pipeline, with other values."""

    def keys(path: str) -> dict[str, set[str]]:
        return {name: set(section) for name, section in yaml.safe_load((ROOT / path).read_text()).items()}

    assert keys("params.yaml") == keys("tests/small/params.yaml")


def test_the_page_names_every_rule() -> None:
    """What validation refuses, and what the environment pins, stands in the page, and nothing else does."""
    table = TRAINING.partition("### validate")[2].partition("### prepare")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(params.Validate.__struct_fields__)
    pinned = TRAINING.partition("## Same commit")[2].partition("## Change")[0]
    assert set(re.findall(r"`([A-Z_]{2,})`", pinned)) == set(quiet.DETERMINISTIC)


def test_the_page_sets_up_remotes(tmp_path: Path) -> None:
    """DVC takes the page's commands for S3, Google Cloud Storage and Azure as they stand."""
    blocks = re.findall(r"^```sh\n(.*?)^```", TRAINING, re.DOTALL | re.MULTILINE)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    lines = ["dvc init --quiet --no-scm", *blocks]
    subprocess.run(["sh", "-eu"], input="\n".join(lines), text=True, cwd=tmp_path, env=environment, check=True)
    config = (tmp_path / ".dvc/config").read_text()
    assert "url = azure://my-container/flights" in config  # the last one given
    assert [address.partition("://")[0] for address in re.findall(r"\w+://my-\S+", TRAINING)] == ["s3", "gs", "azure"]


def test_the_decision_shown_is_one_of_the_gate() -> None:
    """The page shows the gate's rules, and the numbers of the example's model where that is the one at hand."""
    shown = TRAINING.partition("## The gate")[2].partition("```text\n")[2].partition("```")[0]
    assert [line.split()[1] for line in shown.splitlines()[1:]] == ["evidence", "champion", "quarantine", *gate.RULES]
    metrics = json.loads((ROOT / "artifacts/metrics.json").read_text())
    for name in ("auc", "calibration_error") if metrics["model_digest"] in shown else ():
        found = metrics["overall"][name]
        assert f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]" in shown


def test_the_picture_shows_the_demo() -> None:
    """The picture holds each command of the scene in which a leak is caught, and fetches nothing."""
    picture = unescape((ROOT / "docs/pictures/demo.svg").read_text(encoding="utf-8")).replace("\N{NO-BREAK SPACE}", " ")
    steps = (*demo.LEAK, demo.GATE, *demo.SHIP, *demo.AGAIN, *demo.merge("1.2.0"))
    assert [step.command for step in steps if step.command not in picture] == []
    for said in ("1.2.0 reverted", "cause verdict, blame truth", "is quarantined since 1.2.0 was aborted"):
        assert said in picture
    assert "@font-face" not in picture
    assert not re.search(r"(href|src|url)\W*https?:", picture)


@pytest.mark.parametrize("name", files("*.md"))
def test_links_lead_somewhere(name: str) -> None:
    """Each relative link of a page names a file, and a heading in it, that exist."""
    page = ROOT / name
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_files_that_the_readme_names_exist() -> None:
    """Each path in the README's table of changes is there."""
    table = (ROOT / "README.md").read_text().partition("## I want to change")[2].partition("\n## ")[0]
    roots = (ROOT, ROOT / "bentos/flights")  # a second name in a row stands beside the first
    for name in re.findall(r"`([\w./*-]+[./][\w./*-]*)`", table):
        assert any([*root.glob(name.rstrip("/"))] for root in roots), name


def test_locks_name_no_index() -> None:
    """The locks hold versions and hashes; where they come from is the machine's business."""
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text), lock


def test_nothing_is_asked_for_that_nothing_uses() -> None:
    """Each package that requirements/*.in names is imported by some module, or is there for a reason given above."""
    asked = "\n".join(path.read_text() for path in (ROOT / "requirements").glob("*.in"))
    names = set(re.findall(r"^([a-z][\w-]*)", asked, re.MULTILINE))
    code = "\n".join((ROOT / name).read_text() for name in files("*.py"))
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", code, re.MULTILINE))
    unused = {name for name in names if IMPORTED_AS.get(name, name.replace("-", "_")) not in imported}
    assert unused == set(USED_BY_NAME)


def test_the_image_is_as_silent_as_the_command_line() -> None:
    """The runtime image sets each variable that keeps a library from phoning home, to the same value."""
    said = dict(re.findall(r"([A-Z_]+)=(\S+)", (ROOT / "bentos/flights/Containerfile").read_text()))
    assert {name: said.get(name) for name in quiet.SILENT} == quiet.SILENT
    lock = json.loads((ROOT / "bentos/flights/runtime.lock.json").read_text())
    assert {f"{name}={value}" for name, value in quiet.SILENT.items()} <= set(lock["config"]["config"]["Env"])


def test_hooks_run_what_lint_runs() -> None:
    """The hooks before a commit are the checks of `make lint`, from .venv, and nothing from elsewhere."""
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    hooks = {hook["entry"].removeprefix(".venv/bin/") for hook in repository["hooks"]}
    lint = (ROOT / "Makefile").read_text().partition("lint: venv")[2].partition("\n\n")[0]
    assert hooks == set(re.findall(r"^\t([a-z-]+(?: format| check)?)", lint, re.MULTILINE))


def test_changelog_keeps_its_form() -> None:
    """What is not released yet stands first."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## \[(.*)\]", text, re.MULTILINE)[0] == "Unreleased"


def test_guards_have_owners() -> None:
    """Whoever changes a guard needs somebody's approval; only what releases bring may not be there yet."""
    lines = (ROOT / ".github/CODEOWNERS").read_text().splitlines()
    owned = dict(line.split() for line in lines if not line.startswith("#"))
    written = {"/releases/", "/attestations/", "/k8s/rendered/"}
    guards = {"/params.yaml", "/rollouts/", "/signing/", "/argocd/", "/k8s/platform/", "/.github/"}
    assert guards | written <= owned.keys()
    assert [path for path in owned.keys() - written if not (ROOT / path.strip("/")).exists()] == []
    assert all(owner.startswith("@") for owner in owned.values())


def test_the_sample_is_small() -> None:
    """The remote that ships with the repository has at most 10 MB."""
    files = (path for path in (ROOT / "sample-remote").rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files) <= 10_000_000


def test_the_package_names_its_licence_and_versions() -> None:
    """MIT, and the Python versions that the README names and the set-up accepts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["license"], project["requires-python"]) == ("MIT", ">=3.11,<3.14")
    assert "Python 3.11, 3.12 or 3.13" in (ROOT / "README.md").read_text()
    assert "MIT License" in (ROOT / "LICENSE").read_text()


def test_both_environments_are_named() -> None:
    """Each environment has sources, a folder for what is next, and one for what is applied."""
    for name in tree.ENVIRONMENTS:
        for folder in ("overlays", "next", "rendered"):
            assert (ROOT / "k8s" / folder / name).is_dir()
