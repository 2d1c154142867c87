"""The pure part of the sources: the settings, the edge that latency is held to, and whether the router is scraped."""

import math
import re
from itertools import pairwise
from typing import Any

import pytest
import yaml
from tests.conftest import ROOT

from slipway.canary import latency, scrapes, settings
from slipway.canary.records import Metric, Policy, Series, Timing
from slipway.errors import Broken

INF = math.inf
POLICY = Policy(metrics={"errors": Metric(margin=0.01, base=0.01)})


def read(name: str) -> Any:
    """The YAML of a file of rollouts/."""
    return yaml.safe_load((ROOT / "rollouts" / name).read_text())


@pytest.mark.parametrize("name", ["judge.yaml", "judge-istio.yaml"])
def test_both_files_are_read(name: str) -> None:
    """The given policy and the example hold a canary to the same metrics, and tell the arms apart."""
    found = settings.parse(read(name), name)
    assert {kind: metric.margin for kind, metric in found.policy.metrics.items()} == {
        "errors": 0.01,
        "latency": 0.03,
        "objective": 0.03,
        "truth": 0.02,
    }
    assert found.policy.metrics["truth"].required_from == 3
    assert found.policy.metrics["objective"].bound == 0.25
    stable = settings.fill(found.selectors.within, "shop", "flights", "stable", latency.pattern(0.25))
    assert "flights-stable" in stable
    assert "shop" in stable
    assert not re.search(r"\{[a-z]+\}", stable)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("policy", "metrics", "erors"), {"margin": 0.01, "base": 0.01}),
        (("policy", "metrics", "errors", "margins"), 0.01),
        (("policy", "metrics", "errors", "margin"), 0),
        (("policy", "metrics", "errors", "margin"), "1 pt"),
        (("policy", "metrics", "objective"), {"margin": 0.03, "base": 0.01}),
        (("policy", "metrics"), {}),
        (("policy", "metrics"), {"truth": {"margin": 0.02, "base": 0.19}}),
        (("policy", "alpha"), float("nan")),
        (("policy", "alpha"), 1.5),
        (("policy", "grid"), 6),
        (("policy", "on_deadline"), "promote"),
        (("selectors", "requests"), "traefik_service_requests_total"),
        (("selectors", "within"), 'x{namespace="{namespace}", a="{rollout}-{arm}"}'),
        (("selectors", "rate"), "up"),
        (("thresholds",), {}),
    ],
)
def test_a_wrong_key_or_value_is_an_error(path: tuple[str, ...], value: object) -> None:
    """Nothing unknown, nothing out of range, no selector that would count both arms as one."""
    raw = read("judge.yaml")
    here = raw
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    with pytest.raises(Broken, match=r"judge\.yaml"):
        settings.parse(raw, "judge.yaml")


def test_without_time_the_truth_is_not_judged() -> None:
    """An environment that gives truth no time is not held to it; one that gives any is."""
    policy = settings.parse(read("judge.yaml"), "").policy
    assert "truth" not in settings.asked(policy, Timing()).metrics
    assert settings.asked(policy, Timing(maturity=1)) is policy


def test_the_bound_is_the_edge_above_the_quantile() -> None:
    """The smallest edge that 95 % were within, over the growth of the hour and all series."""
    before = [{0.1: 0.0, 0.2: 1000.0, INF: 1000.0}, {}]
    since = [{0.1: 60.0, 0.2: 1090.0, 0.24: 1095.0, INF: 1100.0}, {0.1: 40.0, 0.2: 95.0, 0.24: 99.0, INF: 100.0}]
    # growth: 100 of 200 within 0.1, 185 within 0.2, 194 within 0.24: 190 are 95 %
    assert latency.bound(before, since) == 0.24


def test_a_reset_counts_from_zero() -> None:
    """A histogram that fell was reset; what it holds now was counted since."""
    assert (
        latency.bound([{0.1: 900.0, 0.2: 1000.0, INF: 1000.0}], [{0.1: 5.0, 0.11: 96.0, 0.2: 100.0, INF: 100.0}])
        == 0.11
    )


@pytest.mark.parametrize(
    ("histogram", "says"),
    [
        ({}, "answered nothing"),
        ({0.1: 0.0, INF: 0.0}, "answered nothing"),
        ({0.1: 94.0, 0.3: 99.0, INF: 100.0}, "within 25 %"),
        ({0.1: 90.0, INF: 100.0}, "within 25 %"),
    ],
)
def test_no_edge_no_bound(histogram: dict[float, float], says: str) -> None:
    """Without requests, without an edge near, or with the quantile beyond the last edge: nothing to hold to."""
    with pytest.raises(Broken, match=says):
        latency.bound([{}], [histogram])


@pytest.mark.parametrize(
    ("edge", "labels", "others"),
    [(0.25, ["0.25"], ["0x25", "0.250001"]), (250.0, ["250", "250.0"], ["2500", "25"]), (0.0015, ["0.0015"], [])],
)
def test_an_edge_is_found_by_its_label(edge: float, labels: list[str], others: list[str]) -> None:
    """As Prometheus 2 and 3 spell it, and no other edge. In a PromQL string a backslash is written twice."""
    pattern = re.compile(latency.pattern(edge).replace("\\\\", "\\"))
    assert all(pattern.fullmatch(label) for label in labels)
    assert not any(pattern.fullmatch(label) for label in others)


@pytest.mark.parametrize(
    ("name", "advice"), [("judge.yaml", r"buckets=([0-9.,]+)"), ("judge-istio.yaml", r'"istiocustom":\[([0-9.,]+)\]')]
)
def test_the_buckets_that_are_advised_serve(name: str, advice: str) -> None:
    """Whatever stable's p95 is, from 2 ms on, an edge lies within 25 % of it; the objective is one."""
    (listed,) = re.findall(advice, (ROOT / "rollouts" / name).read_text())
    seconds = settings.parse(read(name), name).selectors.edge_seconds
    edges = [float(edge) * seconds for edge in listed.split(",")]
    assert edges[0] == 0.002
    assert max(after / before for before, after in pairwise(edges)) <= latency.WITHIN + 1e-9
    assert 0.25 in edges


def test_samples_are_known_from_the_first_scrape() -> None:
    """A counter that was first seen with the first scrape was not born then; before what was asked nobody looked."""
    assert scrapes.since([range(100, 200, 5)], POLICY, asked=60, now=200) == 100
    assert scrapes.since([range(120, 200, 5), range(50, 200, 5)], POLICY, asked=60, now=200) == 60


@pytest.mark.parametrize(
    ("scraped", "says"),
    [
        ([], "no scrape of the router yet"),
        ([[]], "no scrape of the router yet"),
        ([range(100, 175, 5)], "no scrape of the router for 30 s"),
        ([range(100, 200, 15)], "every 15 s"),
    ],
)
def test_silence_is_told(scraped: list[range], says: str) -> None:
    """A router that is not scraped, fails to be, or is scraped more seldom than the policy says."""
    with pytest.raises(Broken, match=says):
        scrapes.since(scraped, POLICY, asked=60, now=200)


def counter(*times: float) -> Series:
    """A counter whose values are its times."""
    return Series(times=times, values=times)


@pytest.mark.parametrize(
    ("times", "scraped", "lives"),
    [
        ((60, 65, 70), range(60, 100, 5), [((60, 65, 70), False)]),  # nobody looked before
        ((65, 70), range(60, 100, 5), [((65, 70), True)]),  # it was not there at 60
        ((60, 65, 90, 95), range(60, 100, 5), [((60, 65), False), ((90, 95), True)]),  # gone and new: a restart
        ((60, 70), range(60, 100, 5), [((60,), False), ((70,), True)]),
        ((60, 65, 90, 95), [60, 65, 90, 95], [((60, 65, 90, 95), False)]),  # nobody looked in between
        ((300, 305), range(300, 400, 5), [((300, 305), False)]),  # a router that was found late
        ((61, 66, 71, 81), [60, 65, 70, 80], [((61, 66, 71, 81), False)]),  # stamped by the router itself
    ],
)
def test_a_counter_is_born_where_its_router_was_seen_without_it(
    times: tuple[float, ...], scraped: list[float], lives: list[tuple[tuple[float, ...], bool]]
) -> None:
    """Cut where a scrape did not show it; a silence cuts nothing, and a first sample of both is no birth."""
    found = scrapes.lives(counter(*times), scraped, POLICY)
    assert [(one.times, one.values, one.born) for one in found] == [(each, each, born) for each, born in lives]
