"""The groups in which a model must hold, for each row."""

import polars as pl

from slipway import window


def test_each_row_is_in_one_group_of_each_kind() -> None:
    """Parts of the day begin with their first minute; where the value is missing, that is the group."""
    times = [0, 559, 600, 1000, 1759, 1800, 2359]
    rows = pl.DataFrame({"origin": ["JFK"] * 7, "carrier": ["AA"] * 6 + [None], "sched_dep_time": times})
    found = {by: labels.to_list() for by, labels in window.slices(rows).items()}
    assert found == {
        "origin": ["JFK"] * 7,
        "carrier": ["AA"] * 6 + ["missing"],
        "hour": ["00-06", "00-06", "06-10", "10-14", "14-18", "18-24", "18-24"],
    }
