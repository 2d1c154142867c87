"""Print how many tests a run holds; fail when one was skipped, expected to fail, deselected, or when there are none.

python .ci/counts.py REPORT PATH...      REPORT is the JUnit file of `pytest PATH...`
"""

import subprocess
import sys
import xml.etree.ElementTree as ET


def main(report: str, *paths: str) -> None:
    """Compare what ran with what there is."""
    cases = list(ET.parse(report).getroot().iter("testcase"))
    outcomes = {kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")}
    counts = ", ".join(f"{count} {kind}" for kind, count in outcomes.items())
    print(f"{' '.join(paths)}: {len(cases)} tests ran, {counts}")
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=--import-mode=importlib", *paths],
        capture_output=True,
        text=True,
        check=True,
    )
    there = sum("::" in line for line in listed.stdout.splitlines())
    if not cases or any(outcomes.values()) or len(cases) != there:
        sys.exit(f"not every test ran and passed: {there} are there, {len(cases)} ran, {outcomes}")


if __name__ == "__main__":
    main(*sys.argv[1:])
