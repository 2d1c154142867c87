"""The workflows keep to their rules, the inputs of outcome.yml are the relay's, and a planted mistake is named."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.docs.test_help import VERBS
from tests.workflows import rules
from tests.workflows.running import parse

from slipway.commands.record import INPUTS
from slipway.rollout.relay import Action
from slipway.services.relay.acting import inputs

FOLDER = ROOT / ".github/workflows"
WORKFLOWS = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.yml"))}
ZIZMOR = Path(sys.executable).parent / "zizmor"
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
GROUP = "permissions: {}\n\nconcurrency: {group: outcome, cancel-in-progress: false}"
PLANTED = {  # workflow, what stands there, what somebody makes of it
    "a right that is not given": ("release.yml", "      id-token: write # says to Sigstore which workflow signs\n", ""),
    "another need": ("release.yml", "needs: [build, attest]", "needs: build"),
    "no such need": ("release.yml", "needs: build\n", "needs: built\n"),
    "an output of a job that is not needed": ("release.yml", "needs: [train, record]", "needs: train"),
    "an action by its tag": ("train.yml", CHECKOUT, "actions/checkout@v7"),
    "an action by another commit": ("train.yml", CHECKOUT, f"actions/checkout@{40 * 'a'} # v7.0.1"),
    "an injection": ("outcome.yml", "run: slipway outcome", "run: slipway outcome --why '${{ inputs.why }}'"),
    "a group that cancels": ("release.yml", "cancel-in-progress: false", "cancel-in-progress: true"),
    "a group that drops": ("outcome.yml", "permissions: {}", GROUP),
    "rights for all": ("check.yml", "permissions: {}", "permissions: read-all"),
    "no end": ("check.yml", "    timeout-minutes: 60\n", ""),
    "two commands": ("train.yml", "run: dvc repro", "run: dvc repro && echo done"),
    "a secret for everybody": ("monitor.yml", "    environment: main\n", ""),
    "a cache that nobody asked for": ("check.yml", ", cache: false", ""),
    "credentials that stay": ("monitor.yml", "persist-credentials: false", "persist-credentials: true"),
}


def faults(name: str, text: str) -> list[str]:
    """What is wrong with a workflow."""
    return list(rules.faults(name, parse(text), text))


def lines(text: str) -> list[str]:
    """The commands of a workflow."""
    return [step["run"] for job in parse(text)["jobs"].values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_keeps_to_the_rules(name: str) -> None:
    """Least rights, pins, one command a step, nothing that cancels."""
    assert faults(name, WORKFLOWS[name]) == []


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_mistake_is_named(planted: str) -> None:
    """Each of these turns a check red."""
    name, before, after = PLANTED[planted]
    assert before in WORKFLOWS[name]
    assert faults(name, WORKFLOWS[name].replace(before, after)) != []


def test_the_newest_go_that_a_program_asks_for_is_there() -> None:
    """In the jobs that build one, and on the pages that say what a reader needs."""
    asked = [re.search(r"^go (.*)$", path.read_text(), re.MULTILINE) for path in ROOT.glob("tools/*/go.mod")]
    newest = max((each[1] for each in asked if each), key=lambda version: [int(part) for part in version.split(".")])
    assert set(re.findall(r'go-version: "(.*?)"', WORKFLOWS["check.yml"])) == {newest}
    for page in ("deployment", "cluster"):
        assert f"Go {newest} or newer" in " ".join((ROOT / f"docs/{page}.md").read_text().split())


@pytest.mark.parametrize("line", sorted({line for text in WORKFLOWS.values() for line in lines(text)}))
def test_a_line_is_a_command_that_exists(line: str) -> None:
    """A verb with its options, a target of make, a script of this repository, or a program that a runner has."""
    program, *words = shlex.split(line)
    if Path(program).name == "slipway":
        verb = next(name for name in sorted(VERBS, key=len, reverse=True) if " ".join(words).startswith(name))
        known = {option for parameter in VERBS[verb].params for option in parameter.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known
    elif program == "make":
        assert re.search(rf"^{words[0]}:.*##", (ROOT / "Makefile").read_text(), re.MULTILINE) or words == ["venv"]
    elif scripts := re.findall(r"scripts/\w+\.sh", line):
        assert all((ROOT / script).is_file() for script in scripts)
    elif program.startswith(".venv/bin/"):
        assert f"\n{Path(program).name}==" in (ROOT / "requirements/development.txt").read_text()
    else:
        assert program in {"cml", "docker", "dvc", "gh", "git", "npm", "tar"}


def test_the_relay_knows_the_inputs() -> None:
    """outcome.yml declares what the relay sends, and the verb's options read each of them."""
    declared = parse(WORKFLOWS["outcome.yml"])["on"]["workflow_dispatch"]["inputs"]
    sent = inputs(Action(verb="promote", environment="staging", version="1.0.0", image="sha256:0"))
    assert set(declared) == set(sent)
    assert {name for name, one in declared.items() if one["required"]} == {"verb", "version", "digest", "environment"}


def test_what_a_training_follows_from_starts_one() -> None:
    """What `slipway record` holds against the commit that was trained is among the paths that start a release."""
    paths = parse(WORKFLOWS["release.yml"])["on"]["push"]["paths"]
    assert {name if Path(name).suffix else f"{name}/**" for name in INPUTS} <= set(paths)


def test_zizmor_finds_nothing() -> None:
    """Offline, with the exceptions of .github/zizmor.yml, each of which says why."""
    done = subprocess.run([ZIZMOR, "--offline", ".github"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_exceptions_have_reasons() -> None:
    """Each exception of zizmor begins with a sentence."""
    lines = (ROOT / ".github/zizmor.yml").read_text().splitlines()
    exceptions = [at for at, line in enumerate(lines) if line.startswith("  ") and line[2].isalpha()]
    assert len(exceptions) == 2
    assert all(lines[at + 1].startswith("    # ") for at in exceptions)


def test_the_page_lists_what_must_be_set() -> None:
    """Each secret and each variable that a workflow reads, and each right of the App that one asks for; no other."""
    page = (ROOT / "docs/deployment.md").read_text().partition("## GitHub\n")[2].partition("\n## ")[0]
    written = "\n".join(WORKFLOWS.values())
    assert set(re.findall(r"`([A-Z_]{4,})`", page)) == set(re.findall(r"\b(?:secrets|vars)\.(\w+)", written))
    rights = {name.lower().replace(" ", "-") for name in re.findall(r"^\| ([A-Z][\w ]+): write \|", page, re.MULTILINE)}
    assert rights == set(re.findall(r"permission-([\w-]+): write", written))
