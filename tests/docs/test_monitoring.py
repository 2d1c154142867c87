"""monitoring/ and its page: what is scraped is what the judge asks for; an alert is of something that is exported."""

import re
from typing import Any

import pytest
import yaml
from tests.conftest import ROOT

PAGE = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "monitoring/prometheus.yaml").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "monitoring/alerts.yaml").read_text())["groups"][0]["rules"]
JUDGE = yaml.safe_load((ROOT / "rollouts/judge.yaml").read_text())
JOBS = {job["job_name"]: job for job in CONFIG["scrape_configs"]}
EXPORTERS = (
    "src/slipway/services/judge/meters.py",
    "src/slipway/services/relay/meters.py",
    "bentos/flights/telemetry.py",
)
DECLARED = re.compile(r'(Counter|Gauge)\(\s*"(slipway_\w+)"')
UNITS = {"m": 60, "h": 3600}


def seconds(text: str) -> int:
    """How long that is; of a plain number of seconds, too."""
    return int(text.removesuffix("s")) if text.endswith("s") else int(text[:-1]) * UNITS[text[-1]]


def rows(head: str) -> list[list[str]]:
    """The cells of a table of the page, without its head."""
    table = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table]


def test_the_router_is_scraped_as_the_judge_asks() -> None:
    """By the name that its selector of scrapes has, and as often as the policy says."""
    (name,) = re.findall(r'job="([^"]+)"', JUDGE["selectors"]["scrapes"])
    assert seconds(JOBS[name]["scrape_interval"]) <= JUDGE["policy"]["scrape"]


def test_the_page_names_every_job_and_alert() -> None:
    """Its tables are the files': jobs, and alerts with their severity."""
    assert {name for job, *_ in rows("job") for name in re.findall(r"`([\w-]+)`", job)} == JOBS.keys()
    assert {(name.strip("`"), severity) for name, severity, *_ in rows("alert")} == {
        (rule["alert"], rule["labels"]["severity"]) for rule in RULES
    }


def test_every_metric_of_ours_is_exported() -> None:
    """Each name in an alert is one of judge, relay or service, with its suffix."""
    text = "\n".join((ROOT / file).read_text(encoding="utf-8") for file in EXPORTERS)
    exported = {name + ("_total" if kind == "Counter" else "") for kind, name in DECLARED.findall(text)}
    named = {name for rule in RULES for name in re.findall(r"slipway_\w+", rule["expr"])}
    assert named
    assert named <= exported


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_where_to_read_on(rule: dict[str, Any]) -> None:
    """It has one sentence or two, a page with that heading, and a command."""
    told = rule["annotations"]
    assert told.keys() == {"summary", "page", "command"}
    path, _, anchor = told["page"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    assert not anchor or anchor in {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
    assert told["command"].startswith(("kubectl ", "slipway "))


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_canary_is_late_after_its_deadline(environment: str) -> None:
    """An hour later at most; the page says how long data are kept by the longest of them."""
    template = yaml.safe_load(
        (ROOT / f"k8s/next/{environment}/argoproj.io_v1alpha1_analysistemplate_judge.yaml").read_text()
    )
    (deadline,) = (seconds(arg["value"]) for arg in template["spec"]["args"] if arg["name"] == "deadline")
    (late,) = (rule for rule in RULES if rule["alert"] == "CanaryLate" and rule["labels"]["environment"] == environment)
    assert f"flights-{environment}" in late["expr"]
    assert seconds(late["for"]) == deadline + 3600
    if environment == "production":
        assert f"{seconds(late['for']) // 3600} hours as it stands" in PAGE
