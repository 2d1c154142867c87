"""What the analysis asks, as the Prometheus query API carries it; anything else is refused, with a remedy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.canary import query
from slipway.canary.records import Timing
from slipway.errors import Rejected

TEMPLATE = """verdict{namespace="flights-production", rollout="flights", bake="30m",
 maturity="6h", deadline="72h", cycle="24h", environment="production"}"""


def test_the_template_is_read() -> None:
    """What rollouts/analysis.yaml asks is read, with its durations in seconds."""
    found = query.parse(TEMPLATE)
    assert (found.namespace, found.rollout, found.environment) == ("flights-production", "flights", "production")
    assert found.timing == Timing(bake=1800, maturity=21600, deadline=259200, cycle=86400)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("0s", 0), ("30m", 1800), ("1h30m", 5400), ("500ms", 0.5), ("2d", 172800), ("1w", 604800)],
)
def test_durations_are_those_of_prometheus(text: str, seconds: float) -> None:
    """Each unit counts what it counts in Prometheus."""
    assert query.seconds(text) == seconds


@pytest.mark.parametrize("quote", ['"', "'", "`"])
def test_strings_may_be_quoted_as_in_promql(quote: str) -> None:
    """All three quotes of PromQL are read; spaces, line ends and a last comma do no harm."""
    text = '  verdict {\n namespace = "a",rollout="b" , maturity="0s", }'.replace('"', quote)
    assert query.parse(text).timing.maturity == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "up",
        "1",
        "verdict",
        "verdict{}",
        'verdict{namespace="a", maturity="0s"}',
        'verdict{rollout="b", maturity="0s"}',
        'verdict{namespace="a", rollout="b"}',
        'verdict{namespace="a", rollout="b", maturity="soon"}',
        'verdict{namespace="a", rollout="b", maturity="-1s"}',
        'verdict{namespace="a", rollout="b", maturity=""}',
        'verdict{namespace="a", rollout="b", maturity="1e3"}',
        'verdict{namespace="a", rollout="b", maturity="0s", deadline="101d"}',
        'verdict{namespace="a", rollout="b", maturity="0s", bake="nan"}',
        'verdict{namespace="a", namespace="c", rollout="b", maturity="0s"}',
        'verdict{namespace="a", rollout="b", maturity="0s", margin="1"}',
        'verdict{namespace!="a", rollout="b", maturity="0s"}',
        'verdict{namespace=~"a", rollout="b", maturity="0s"}',
        'verdict{namespace=~".*", rollout="b", maturity="0s"}',
        'verdict{namespace=".*", rollout="b", maturity="0s"}',
        'verdict{namespace="a|b", rollout="b", maturity="0s"}',
        'verdict{namespace="a", rollout="b\\"} or vector(1)", maturity="0s"}',
        'verdict{namespace="a", rollout="b", maturity="0s"} or vector(1)',
        'verdict{namespace="a", rollout="b", maturity="0s"}[5m]',
        'verdict{namespace="a" rollout="b", maturity="0s"}',
        'verdict{namespace="' + 64 * "a" + '", rollout="b", maturity="0s"}',
        'verdict{namespace="a", rollout="b", maturity="0s"' + 3000 * " " + "}",
        'verdict{namespace="a", rollout="b", maturity="' + 30 * "9h" + '"}',
        'verdict{namespace="a", rollout="b", maturity="' + 39 * "9" + 'y"}',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """No expression, no regular expression, nothing twice, nothing unknown; and a missing maturity is no default."""
    with pytest.raises(Rejected):
        query.parse(text)


@given(st.text(max_size=300))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    """Whatever comes is read or refused, and a name that was read holds nothing that PromQL would."""
    for candidate in (text, f'verdict{{namespace="{text}", rollout="b", maturity="0s"}}'):
        try:
            found = query.parse(candidate)
        except Rejected:
            continue
        assert found.namespace.replace("-", "").isalnum()
        assert found.namespace.isascii()


def test_times_are_read_as_the_api_has_them() -> None:
    """Seconds or RFC 3339; a time without a zone, a negative one, nan and infinity are none."""
    assert query.instant("1800000000.5") == 1800000000.5
    assert query.instant("2027-01-15T08:00:00Z") == 1800000000
    for text in ("", "nan", "inf", "-1", "1e12", "2027-01-15T08:00:00", "yesterday"):
        with pytest.raises(Rejected):
            query.instant(text)
