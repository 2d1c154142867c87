"""The dashboard's file: it fits any Grafana, and speaks of metrics that this code exports."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "monitoring/dashboard.json").read_text(encoding="utf-8")
DASHBOARD = json.loads(TEXT)
EXPORTERS = ("src/slipway/services/judge/meters.py", "bentos/flights/telemetry.py")
DECLARED = re.compile(r'(Counter|Gauge|Histogram)\(\s*"(slipway_\w+)"')
SUFFIXES = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_count", "_sum")}


def sources(found: Any) -> list[dict[str, str]]:
    """Each data source that a part of the dashboard names."""
    if isinstance(found, list):
        return [source for each in found for source in sources(each)]
    if not isinstance(found, dict):
        return []
    mine = [found["datasource"]] if "datasource" in found else []
    return mine + [source for each in found.values() for source in sources(each)]


def test_the_data_source_is_chosen_by_a_variable() -> None:
    """No part names a data source of somebody's Grafana: all use the variable, which asks for a Prometheus."""
    first = DASHBOARD["templating"]["list"][0]
    assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
    assert {source["uid"] for source in sources(DASHBOARD)} == {"${datasource}"}


def test_every_metric_is_exported() -> None:
    """Each name in a query is one of a counter, gauge or histogram of the judge or the service, with its suffix."""
    exported = {
        name + suffix
        for file in EXPORTERS
        for kind, name in DECLARED.findall((ROOT / file).read_text(encoding="utf-8"))
        for suffix in SUFFIXES[kind]
    }
    asked = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    named = {name for query in asked for name in re.findall(r"slipway_\w+", query)}
    assert named <= exported
    assert {"slipway_judge_verdict", "slipway_judge_evidence", "slipway_judge_held"} <= named


def test_panels_are_in_order() -> None:
    """Panels have numbers of their own and a description each, and none lies on another or beyond the edge."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert x < 24, panel["title"]
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))
