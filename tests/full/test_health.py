"""What Argo CD says of an analysis, by argocd/health.yaml, run by Debian's Lua without the libraries that it lacks."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

(SCRIPT,) = yaml.safe_load((Path(__file__).parents[2] / "argocd/health.yaml").read_text())["data"].values()
WHY = 'Metric "judge" assessed Failed due to failed (1) > failureLimit (0)'


def literal(value: Any) -> str:
    """Write a value as Lua does; JSON's strings here are Lua's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{literal(key)}] = {literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(literal, value)) + "}"
    return json.dumps(value)


def health(status: Any) -> tuple[str, str]:
    """Run the script on an AnalysisRun with this status."""
    object_ = {"status": status} if status is not None else {}
    program = (
        "local say = print\nos, io, string, math, debug, package, print = nil\n"
        f"local function health(obj)\n{SCRIPT}\nend\n"
        f"local found = health({literal(object_)})\nsay(found.status)\nsay(found.message)\n"
    )
    done = subprocess.run(["lua5.1", "-"], input=program, capture_output=True, text=True, check=True)
    found, message = done.stdout.splitlines()
    return found, message


def ended(phase: str, *measured: Any, message: str = "") -> dict[str, Any]:
    """A status as the controller writes it."""
    measurements = [{"phase": phase, "startedAt": "2013-06-01T00:00:00Z", **each} for each in measured]
    results = [{"name": "judge", "phase": phase, "measurements": measurements}]
    return {"phase": phase, "message": message, "metricResults": results}


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (None, ("Progressing", "the judge was not asked yet")),
        ({"phase": "Pending"}, ("Progressing", "the judge was not asked yet")),
        (ended("Running", {"value": "[0]"}), ("Progressing", "the judge cannot tell yet")),
        (ended("Running", {"value": "[-1]"}, {"value": "[0]"}), ("Progressing", "the judge cannot tell yet")),
        (ended("Successful", {"value": "[0]"}, {"value": "[1]"}), ("Healthy", "the judge promotes")),
        (
            ended("Failed", {"value": "[-1]"}, message=WHY),
            ("Degraded", f"the judge aborts: evidence that the canary is worse ({WHY})"),
        ),
        (ended("Failed", {"value": "[-2]"}), ("Degraded", "the judge aborts: no canary was available")),
        (ended("Failed", {"value": "[-3]"}), ("Degraded", "the judge aborts: the deadline has passed")),
        (
            ended("Error", {"message": "connection refused"}),
            ("Degraded", "the judge did not answer: connection refused"),
        ),
        (ended("Error", {"value": "[]"}), ("Degraded", "the judge did not answer: []")),
        (ended("Error"), ("Degraded", "the judge did not answer: nothing measured")),
        (
            ended("Inconclusive", {"value": "[0]"}, message="inconclusive (1) > inconclusiveLimit (0)"),
            ("Unknown", "the judge cannot tell yet (inconclusive (1) > inconclusiveLimit (0))"),
        ),
    ],
)
def test_an_analysis_says_why(status: Any, says: tuple[str, str]) -> None:
    """The health of each phase is Argo CD's own; the words say what the judge's number means."""
    assert health(status) == says
