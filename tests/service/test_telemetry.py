"""What the service counts by itself is what prometheus_client would have counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

import telemetry

EDGES = (0.1, 0.5, 2.5)


@given(st.lists(st.lists(st.sampled_from([0.0, 0.05, 0.1, 0.1000001, 0.5, 1.0, 2.5, 2.6, 1e6])), max_size=4))
def test_timings_told_at_once_are_those_told_one_by_one(batches: list[list[float]]) -> None:
    """Edges belong to the bucket below, sums agree, and what was told is not told again."""
    rendered, sums = list[list[str]](), list[float]()
    for kept in (True, False):
        registry = CollectorRegistry()
        histogram = Histogram("t", "T", buckets=EDGES, registry=registry)
        timings = telemetry.Timings(histogram, EDGES) if kept else histogram
        for batch in batches:
            for seconds in batch:
                timings.observe(seconds)
            if isinstance(timings, telemetry.Timings):
                timings.tell()
        text = generate_latest(registry).decode()
        rendered.append([line for line in text.splitlines() if "_created" not in line and "_sum" not in line])
        sums.append(float(text.rpartition("t_sum ")[2].split()[0]))
    assert rendered[0] == rendered[1]
    assert sums[0] == pytest.approx(sums[1])
