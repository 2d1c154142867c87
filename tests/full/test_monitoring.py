"""monitoring/ by Prometheus' own tool: its configuration is one, and each alert fires when it should, not before."""

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.conftest import ROOT

MONITORING = ROOT / "monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
PRODUCTION, STAGING = (
    '{namespace="flights-production",name="flights",phase="%s"}',
    '{namespace="flights-staging",name="flights",phase="%s"}',
)


class Case(NamedTuple):
    """Series under which an alert fires at a time, and others under which it does not; a value each minute."""

    ill: dict[str, str]
    well: dict[str, str]
    at: str = "30m"


def flat(value: float) -> str:
    """The same value for four days."""
    return f"{value:g}+0x6000"


JUDGED = {'slipway_judge_looks_total{verdict="continue"}': "0+2x60"}
FAILED, RUN = (
    'slipway_judge_source_errors_total{source="samples"}',
    'analysis_run_info{name="a",namespace="n",phase="%s"}',
)
TURNED = {'slipway_relay_turned_at{instance="a"}': "0+60x60", 'up{job="relay"}': flat(1)}
STABLE = 'traefik_service_requests_total{service="flights-production-flights-stable-http@kubernetescrd",code="%d"}'
CASES = {
    "JudgeSilent": Case({'up{job="judge",instance="a"}': flat(0)}, {'up{job="judge",instance="a"}': flat(1)}),
    "JudgeBlind": Case(
        JUDGED | {FAILED: "0+2x60", RUN % "Running": flat(1)}, JUDGED | {FAILED: "0+2x60", RUN % "Failed": flat(1)}
    ),
    "JudgeBlind, now and then": Case({}, JUDGED | {FAILED: "0+0.2x60", RUN % "Running": flat(1)}),
    "RouterNotScraped": Case(
        {'up{job="traefik",instance="a"}': flat(0), 'up{job="traefik",instance="b"}': flat(1)},
        {'up{job="traefik",instance="a"}': flat(1)},
    ),
    "RouterNotScraped, none": Case({'up{job="judge"}': flat(1)}, {'up{job="traefik",instance="a"}': flat(1)}),
    "AnalysisError": Case({RUN % "Error": "_x20 1+0x60"}, {RUN % "Failed": flat(1)}),
    "AnalysisError, long ago": Case({}, {RUN % "Error": flat(1)}, at="90m"),
    "CanaryLate": Case(
        {f"rollout_info{PRODUCTION}" % "Progressing": flat(1)},
        {f"rollout_info{PRODUCTION}" % "Progressing": "1+0x4200 _x60 1+0x2000"},
        at="74h",
    ),
    "CanaryLate, staging": Case(
        {f"rollout_info{STAGING}" % "Paused": flat(1)}, {f"rollout_info{STAGING}" % "Completed": flat(1)}, at="3h"
    ),
    "NotWhatGitSays": Case(
        {'argocd_app_info{name="flights-production",project="slipway",sync_status="OutOfSync"}': flat(1)},
        {'argocd_app_info{name="another",project="default",sync_status="OutOfSync"}': flat(1)},
    ),
    "RelaySilent": Case({'up{job="relay"}': flat(0)}, TURNED),
    "RelaySilent, stuck": Case({'up{job="relay"}': flat(1), "slipway_relay_turned_at": flat(0)}, TURNED),
    "RelayBlind": Case(
        TURNED | {'slipway_relay_fetched_at{instance="a"}': flat(0)},
        TURNED | {'slipway_relay_fetched_at{instance="a"}': "0+60x60"},
    ),
    "RelayBlind, an environment": Case(
        TURNED | {'slipway_relay_looked_at{instance="a",environment="production"}': flat(0)},
        TURNED | {'slipway_relay_looked_at{instance="a",environment="production"}': "0+60x60"},
    ),
    "RelayNeedsPerson": Case(
        {'slipway_relay_report{environment="production"}': flat(1)},
        {'slipway_relay_report{environment="production"}': flat(0)},
    ),
    "OutcomeNotWritten": Case(
        {'slipway_relay_actions_total{verb="revert",result="broken"}': "1+0.2x60"},
        {
            'slipway_relay_actions_total{verb="revert",result="ran"}': "1+1x60",
            'slipway_relay_actions_total{verb="carry",result="rejected"}': "1+1x60",
        },
    ),
    "WebhookRefused": Case(
        {'slipway_relay_webhooks_total{answer="unauthorized"}': "0+0x20 1+0x40"},
        {'slipway_relay_webhooks_total{answer="stored"}': "0+1x60"},
    ),
    "ServiceFails": Case(
        {STABLE % 200: "0+97x60", STABLE % 503: "0+3x60"},
        {STABLE % 200: "0+90x60", STABLE % 503: "0+1x60", STABLE % 422: "0+9x60"},
    ),
    "SpoolGrows": Case(
        {'slipway_spool_bytes{namespace="n",pod="a"}': flat(40e6)},
        {'slipway_spool_bytes{namespace="n",pod="a"}': flat(1e6)},
    ),
    "PredictionsRefused": Case(
        {'slipway_rejected_requests_total{namespace="n",reason="spool"}': "0+1x60"},
        {'slipway_rejected_requests_total{namespace="n",reason="credential"}': "0+1x60"},
    ),
    "FeedbackForged": Case(
        {'slipway_feedback_total{namespace="n",result="forged"}': "0+1x60"},
        {'slipway_feedback_total{namespace="n",result="stored"}': "0+1x60"},
    ),
}


def promtool(*arguments: str | Path) -> None:
    """Have it check something, and be content."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_one(tmp_path: Path) -> None:
    """With its rules. Debian's Prometheus knows no `kubernetes_sd_configs`: their form is small, and held to here."""
    config: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    for job in config["scrape_configs"]:
        (found,) = job.pop("kubernetes_sd_configs")
        assert (found.keys(), found["role"], found["namespaces"].keys()) == ({"role", "namespaces"}, "pod", {"names"})
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "alerts.yaml").write_bytes((MONITORING / "alerts.yaml").read_bytes())
    promtool("check", "config", tmp_path / "prometheus.yaml")


def test_each_alert_is_played() -> None:
    """None is without a case in which it fires, and one in which it does not."""
    assert {name.partition(",")[0] for name in CASES} == {rule["alert"] for rule in RULES}
    assert {name.partition(",")[0] for name, case in CASES.items() if case.ill} == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("name", CASES)
def test_an_alert(name: str, tmp_path: Path) -> None:
    """It fires once under the first series, and not under the second."""
    case, alert = CASES[name], name.partition(",")[0]
    firing = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'

    def play(series: dict[str, str], *samples: dict[str, Any]) -> dict[str, Any]:
        return {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [{"expr": firing, "eval_time": case.at, "exp_samples": samples}],
        }

    tests = [play(case.ill, {"labels": "{}", "value": 1})] if case.ill else []
    path = tmp_path / "alerts.json"  # which is YAML
    rules = {"rule_files": [str(MONITORING / "alerts.yaml")], "evaluation_interval": "1m"}
    path.write_text(json.dumps(rules | {"tests": [*tests, play(case.well)]}))
    promtool("test", "rules", path)
