"""CI's count of tests: a skip, an expected failure or a deselection is a failure of the run."""

import subprocess
import sys
from pathlib import Path

import pytest

COUNTS = Path(__file__).parents[2] / ".ci" / "counts.py"
PASSING = "def test_a():\n    assert True\n\n\ndef test_b():\n    assert True\n"
SKIPPED = "import pytest\n\n\n@pytest.mark.skip\ndef test_a():\n    pass\n\n\ndef test_b():\n    pass\n"
EXPECTED = SKIPPED.replace("skip", "xfail").replace("def test_a():\n    pass", "def test_a():\n    assert False")


@pytest.mark.parametrize(
    ("tests", "options", "accepted"),
    [
        (PASSING, [], True),
        (SKIPPED, [], False),
        (EXPECTED, [], False),
        (PASSING, ["-k", "test_a"], False),
        ("", [], False),
    ],
    ids=["all pass", "skip", "xfail", "deselected", "none"],
)
def test_only_a_run_of_every_test_counts(tests: str, options: list[str], accepted: bool, tmp_path: Path) -> None:
    """The report of a run in which something did not run is refused, though pytest itself was content."""
    (tmp_path / "test_x.py").write_text(tests)
    run = [sys.executable, "-m", "pytest", "-q", "--junit-xml=report.xml", *options, "test_x.py"]
    subprocess.run(run, cwd=tmp_path, capture_output=True, check=False)
    done = subprocess.run(
        [sys.executable, str(COUNTS), "report.xml", "test_x.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 0) is accepted, done.stdout + done.stderr
