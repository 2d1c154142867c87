"""What `--help` says of each verb is there, is true, and costs nothing to ask for."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from slipway.__main__ import app

ROOT = Path(__file__).parents[2]
HEAVY = {"bentoml", "great_expectations", "mlflow", "numpy", "onnxruntime", "pandas", "polars", "sklearn"}
ENDLESS = {"serve", "judge serve", "relay serve"}  # they run until Ctrl-C, so they have no result to print as JSON
SURFACE = typer.main.get_command(app)


def verbs(command: Any = SURFACE, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each verb by its full name: `gate`, `runtime build`."""
    for word, found in command.commands.items():
        full = f"{name} {word}".strip()
        yield from verbs(found, full) if hasattr(found, "commands") else [(full, found)]


def examples(command: Any) -> list[str]:
    """The command lines of a verb's examples."""
    block = re.search(r"^ *Examples:\n *```sh\n(.*?)^ *```", command.help or "", re.DOTALL | re.MULTILINE)
    return [line.strip() for line in block.group(1).splitlines()] if block else []


def parse(words: list[str]) -> None:
    """Parse a command line as the real one would, and run nothing."""
    command = SURFACE
    for position, word in enumerate(words):
        if not hasattr(command, "commands"):
            command.make_context(word, words[position:], resilient_parsing=False)
            return
        command = command.commands[word]


VERBS = dict(verbs())
EXAMPLES = [line for command in VERBS.values() for line in examples(command)]


def slipway(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "slipway", *words], capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(verb: str) -> None:
    """A verb says what it does, has an example that names it, and explains each option."""
    command = VERBS[verb]
    assert command.help
    assert any(f"{line} ".startswith(f"slipway {verb} ") for line in examples(command))
    assert [param.name for param in command.params if not param.help] == []


@pytest.mark.parametrize("line", EXAMPLES)
def test_each_example_parses(line: str) -> None:
    """The real command line takes each example as it stands."""
    parse(shlex.split(line, comments=True)[1:])


def test_an_example_with_an_unknown_option_would_not_parse() -> None:
    """The check above can fail."""
    with pytest.raises(Exception, match="No such option"):
        parse(["gate", "--lenient"])


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - ENDLESS))
def test_each_verb_can_answer_a_program(verb: str) -> None:
    """Every verb that ends takes `--json`."""
    assert "--json" in [option for param in VERBS[verb].params for option in param.opts]


def test_examples_stand_on_lines_of_their_own() -> None:
    """The help on a terminal shows each example as one line that can be copied."""
    shown = [line.strip() for line in slipway("gate", "--help").stdout.splitlines()]
    assert set(examples(VERBS["gate"])) <= set(shown)


def test_every_verb_stands_in_the_words_for_people() -> None:
    """README or docs name each verb, and name none that does not exist."""
    pages = [ROOT / "README.md", ROOT / "k8s/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    text = "\n".join(page.read_text() for page in pages)
    assert [verb for verb in VERBS if f"slipway {verb}" not in text] == []
    named = set(re.findall(r"slipway ([a-z]+)", "\n".join(re.findall(r"`([^`\n]+)`", text))))
    assert named <= set(SURFACE.commands)


def test_help_imports_nothing_heavy() -> None:
    """Asking for help loads none of the libraries that take seconds."""
    code = (
        "import sys, typer.testing; from slipway.__main__ import app\n"
        "assert typer.testing.CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "typer" in loaded
    assert HEAVY & set(loaded) == set()


def test_exit_codes(tmp_path: Path) -> None:
    """Accepted is 0, rejected is 1, broken is 2; the last two say why, to a person and to a program."""
    for folder in ("k8s", "rollouts", "argocd"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    command = ("manifests", "check", "--root", str(tmp_path))
    accepted = slipway(*command, "--json")
    assert (accepted.returncode, json.loads(accepted.stdout)["schema_version"]) == (0, 1)

    budget = tmp_path / "k8s/next/production/policy_v1_poddisruptionbudget_flights.yaml"
    budget.write_text(budget.read_text().replace("maxUnavailable: 1", "maxUnavailable: 0"))
    rejected = slipway(*command, "--json")
    assert (rejected.returncode, json.loads(rejected.stdout)["outcome"]) == (1, "rejected")

    shutil.rmtree(tmp_path / "k8s")
    broken, told = slipway(*command, "--json"), slipway(*command)
    assert (broken.returncode, json.loads(broken.stdout)["outcome"]) == (2, "broken")
    assert told.returncode == 2
    assert json.loads(broken.stdout)["remedy"] in told.stderr.replace("\n", " ")
    assert slipway("manifests", "chekc").returncode == 2
