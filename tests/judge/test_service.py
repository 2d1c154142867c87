"""What the analysis and people are told over HTTP, whatever the sources do. Doubt is 0, never an HTTP error."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from tests.judge import worlds
from tests.judge.worlds import POLICY, QUERY, START, rehearse

from slipway import records
from slipway.adapters import files
from slipway.adapters.ledger import Ledger
from slipway.adapters.rehearsal import FACTS, SAMPLES, Known, Rehearsal
from slipway.canary.planning import Plan
from slipway.canary.query import parse
from slipway.canary.records import Metric, Observation, Policy, Rollout, Trace, Verdict
from slipway.errors import Broken
from slipway.services.judge import Judge
from slipway.services.judge.truths import FromLedger

Serve = Callable[[Judge], str]
NOW = START + 915
QUICK = (1.0, 1.0)  # seconds for facts, and for the rest
WITH_TRUTH = msgspec.structs.replace(
    POLICY, metrics={**POLICY.metrics, "truth": Metric(margin=0.02, base=0.19, required_from=3)}
)
TRUE = QUERY.replace('maturity="0s"', 'maturity="1m"')


def judge(folder: Path, policy: Policy = POLICY, truths: FromLedger | None = None) -> Judge:
    """A judge of a rehearsal."""
    source = Rehearsal(folder)
    return Judge(policy, source, source, truths)


def ask(address: str, query: str = QUERY, now: float = NOW) -> int:
    """Ask as Argo Rollouts does, by POST, and check that the answer is one of the API."""
    answer = requests.post(f"{address}/api/v1/query", data={"query": query, "time": now}, timeout=30)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["status"], found["data"]["resultType"]) == ("success", "vector")
    (sample,) = found["data"]["result"]
    assert sample["value"][0] == now
    return int(sample["value"][1])


def told(address: str, now: float = NOW, **labels: str) -> Verdict:
    """Ask as a person does."""
    given = {"namespace": "shop", "rollout": "flights", "deadline": "4h", "time": str(now)} | labels
    answer = requests.get(f"{address}/verdict", params=given, timeout=30)
    assert answer.status_code == 200, answer.text
    return records.loads(Verdict, answer.content, "/verdict")


def test_promote_continue_abort(tmp_path: Path, serve: Serve) -> None:
    """1 for a canary like stable, 0 while there is too little evidence, -1 for one with five points more errors."""
    assert ask(serve(judge(rehearse(tmp_path / "good")))) == 1
    assert ask(serve(judge(rehearse(tmp_path / "new", seconds=60))), now=START + 75) == 0
    assert ask(serve(judge(rehearse(tmp_path / "bad", bad=0.06)))) == -1


def test_unavailable(tmp_path: Path, serve: Serve) -> None:
    """-2 where no pod of the canary could answer for a minute, and 0 before."""
    gone = worlds.rollout(900, available=0, unavailable_since=NOW - 61)
    folder = rehearse(tmp_path / "gone", known=gone)
    assert ask(serve(judge(folder))) == -2
    assert ask(serve(judge(folder)), now=NOW - 10) == 0


def test_the_deadline(tmp_path: Path, serve: Serve) -> None:
    """At the deadline an undecided canary is -3 where the policy says so, and else 0: final, and a person decides."""
    folder = rehearse(tmp_path / "slow", rate=0.1)
    query = QUERY.replace("4h", "10m")
    assert ask(serve(judge(folder)), query) == 0
    assert told(serve(judge(folder)), deadline="10m").verdict == "inconclusive"
    assert ask(serve(judge(folder, msgspec.structs.replace(POLICY, on_deadline="abort"))), query) == -3


def test_people_see_why(tmp_path: Path, serve: Serve) -> None:
    """/verdict names the metric to blame and /trace shows how it came; both are the records that tools read."""
    address = serve(judge(rehearse(tmp_path / "bad", bad=0.06)))
    verdict = told(address)
    assert (verdict.verdict, verdict.cause, verdict.blame) == ("abort", "verdict", "errors")
    given = {"namespace": "shop", "rollout": "flights", "deadline": "4h", "time": NOW}
    trace = records.loads(Trace, requests.get(f"{address}/trace", params=given, timeout=30).content, "/trace")
    assert trace.verdict == verdict
    assert requests.get(f"{address}/healthz", timeout=30).text == "ok\n"


def test_people_need_only_name_the_rollout(tmp_path: Path, serve: Serve) -> None:
    """Where a person gives no times, those of the rollout's own analysis count."""
    folder = rehearse(tmp_path / "good")
    files.write_record(folder / FACTS, Known(rollout=worlds.rollout(900), latency_bound=0.05, asked={"bake": "10m"}))
    address = serve(judge(folder))
    assert [hold.reason for hold in told(address).held] == ["bake"]
    assert told(address, bake="0s").verdict == "promote"


def test_a_plan(tmp_path: Path, serve: Serve) -> None:
    """/plan says how long traffic needs under the policy that the judge has; less traffic needs longer."""
    address = serve(judge(tmp_path))
    given = {"rps": 20, "weight": [0.1, 0.3, 0.6], "deadline": "1h"}
    plan, slow = (
        records.loads(Plan, requests.get(f"{address}/plan", params=given | more, timeout=60).content, "/plan")
        for more in ({}, {"rps": 1})
    )
    assert plan.decidable
    assert plan.seconds < 900 < slow.seconds
    for wrong in ({"rps": 0}, {"rps": "x"}, {"weight": []}, {"weight": [2]}, {"deadline": "soon"}):
        answer = requests.get(f"{address}/plan", params=given | wrong, timeout=30)
        assert answer.status_code == 400
        assert answer.json()["errorType"] == "bad_data"


def test_its_own_metrics(tmp_path: Path, serve: Serve) -> None:
    """Looks, verdicts, evidence and what it is held against are there for a dashboard; a stranger makes no series."""
    address = serve(judge(rehearse(tmp_path / "bad", bad=0.06)))
    ask(address)
    ask(address, QUERY.replace("flights", "stranger"))
    text = requests.get(f"{address}/metrics", timeout=30).text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    of = 'namespace="shop",rollout="flights"'
    assert float(values[f"slipway_judge_verdict{{{of}}}"]) == -1
    assert float(values[f'slipway_judge_evidence{{boundary="abort",metric="errors",{of}}}']) > float(
        values[f'slipway_judge_needed{{boundary="abort",metric="errors",{of}}}']
    )
    assert float(values[f'slipway_judge_requests{{arm="canary",metric="errors",{of}}}']) == 6000
    assert float(values['slipway_judge_looks_total{verdict="abort"}']) == 1
    assert float(values['slipway_judge_source_errors_total{source="facts"}']) == 1
    assert float(values["slipway_judge_look_seconds_count"]) == 2
    assert "stranger" not in text


# ---- doubt ------------------------------------------------------------------------------------------------------


class Facts:
    """Facts that fail as they are told."""

    def __init__(self, fails: Callable[[], Any]) -> None:
        self._fails = fails

    def rollout(self, *_: Any) -> Rollout:
        """Fail."""
        return self._fails()  # type: ignore[no-any-return]

    asked = rollout
    observe = rollout
    cohorts = rollout
    reference_share = rollout


def _broken() -> None:
    raise Broken("the cluster's API says 403 Forbidden", "Give it rights.")


def _bug() -> None:
    raise KeyError("metadata")


def _slow() -> None:
    time.sleep(4)


@pytest.mark.parametrize("fails", [_broken, _bug, _slow])
def test_facts_that_fail_are_a_doubt(tmp_path: Path, serve: Serve, fails: Callable[[], Any]) -> None:
    """Without facts there is no verdict, whatever the counters say: 0 within the time that the analysis waits."""
    source = Rehearsal(rehearse(tmp_path / "bad", bad=0.06))
    address = serve(Judge(POLICY, Facts(fails), source, None, seconds=QUICK))
    assert ask(address) == 0
    verdict = told(address)
    assert verdict.verdict == "continue"
    assert [hold.reason for hold in verdict.held] == ["facts"]
    assert "KeyError" not in verdict.detail
    assert fails is not _broken or "403 Forbidden. Give it rights." in verdict.detail


@pytest.mark.parametrize("fails", [_broken, _bug, _slow])
def test_a_broken_ledger_blocks_and_hides_nothing(tmp_path: Path, serve: Serve, fails: Callable[[], Any]) -> None:
    """Without the ledger no canary is promoted, and one with five points more errors is aborted all the same."""
    for name, bad, expected in (("good", 0.01, 0), ("bad", 0.06, -1)):
        source = Rehearsal(rehearse(tmp_path / name, bad=bad))
        address = serve(Judge(WITH_TRUTH, source, source, Facts(fails), seconds=QUICK))
        assert ask(address, TRUE) == expected
    assert "ledger" in [hold.reason for hold in told(address, maturity="1m").held]


@pytest.mark.parametrize("fails", [_broken, _bug, _slow])
def test_broken_counters_block(tmp_path: Path, serve: Serve, fails: Callable[[], Any]) -> None:
    """Without counters no canary is promoted; one without pods is still aborted."""
    facts = Rehearsal(rehearse(tmp_path / "good"))
    address = serve(Judge(POLICY, facts, Facts(fails), None, seconds=QUICK))
    assert ask(address) == 0
    assert {"samples"} <= {hold.reason for hold in told(address).held}
    gone = Rehearsal(rehearse(tmp_path / "gone", known=worlds.rollout(900, available=0, unavailable_since=NOW - 61)))
    assert ask(serve(Judge(POLICY, gone, Facts(fails), None, seconds=QUICK))) == -2


def test_a_judge_that_cannot_decide_says_so(tmp_path: Path, serve: Serve) -> None:
    """Facts that the decision cannot work with are a doubt: 0 and a reason, and no traceback to the caller."""
    source = Rehearsal(rehearse(tmp_path / "odd"))

    class Odd:
        def observe(self, *_: Any) -> Observation:
            return Observation(since=NOW, requests={"stable": 7, "canary": 8}, counts={})  # type: ignore[dict-item]

    address = serve(Judge(POLICY, source, Odd(), None))
    assert ask(address) == 0
    assert "its log says why" in told(address).detail


def test_truth_without_a_ledger_is_refused(tmp_path: Path) -> None:
    """A policy that judges truth does not start without a place to read it from."""
    with pytest.raises(Broken, match="no ledger"):
        judge(tmp_path, WITH_TRUTH)


def test_many_may_ask_while_a_source_hangs(tmp_path: Path, serve: Serve) -> None:
    """Twenty questions to a hanging source each get their 0, and the judge says that it lives meanwhile."""
    source = Rehearsal(rehearse(tmp_path / "good"))
    address = serve(Judge(POLICY, source, Facts(_slow), None, seconds=QUICK))
    answers: list[int] = []
    asking = [threading.Thread(target=lambda: answers.append(ask(address))) for _ in range(20)]
    for one in asking:
        one.start()
    assert requests.get(f"{address}/healthz", timeout=30).ok
    for one in asking:
        one.join()
    assert answers == 20 * [0]


# ---- the rehearsal's folder -------------------------------------------------------------------------------------


def test_a_torn_line_is_not_there_yet(tmp_path: Path, serve: Serve) -> None:
    """Whoever writes may be in the middle of a line: the judge sees what was written before it."""
    folder = rehearse(tmp_path / "good")
    with (folder / SAMPLES).open("ab") as stream:
        stream.write(b'{"time": 1800000905, "arm": "can')
    assert ask(serve(judge(folder))) == 1


@pytest.mark.parametrize("name", [FACTS, SAMPLES])
@pytest.mark.parametrize("content", [None, b"", b"null\n", b"<html>\n", b"\xff\n", b"{}\n"])
def test_a_folder_that_cannot_be_read_is_a_doubt(
    tmp_path: Path, serve: Serve, name: str, content: bytes | None
) -> None:
    """No file, an empty one, another one: 0 with a reason."""
    folder = rehearse(tmp_path / "good")
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    address = serve(judge(folder))
    assert ask(address) == 0
    assert {hold.reason for hold in told(address).held} & {"facts", "samples"}


def test_the_past_is_not_what_is_known_now(tmp_path: Path, serve: Serve) -> None:
    """Asked for an earlier time, the judge knows what was known then: no later step, no later sample."""
    address = serve(judge(rehearse(tmp_path / "good")))
    early = told(address, now=START + 40)
    assert (early.step, early.metrics[0].counts["canary"].requests) == (1, 60)  # 30 s are settled, at 2 a second
    assert told(address, now=START - 1).held[0].reason == "facts"


# ---- questions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        None,
        "",
        "up",
        "vector(1)",
        'verdict{namespace="shop", rollout="flights"}',
        QUERY + " or vector(1)",
        QUERY.replace("shop", "../../etc/passwd"),
        QUERY.replace("shop", "${jndi:ldap://x}"),
        QUERY.replace("0s", "\x00"),
        9999 * "x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_a_question_that_cannot_be_read_is_an_error(
    tmp_path: Path, serve: Serve, query: str | None, method: str
) -> None:
    """400 with the API's error, by GET and by POST."""
    address = serve(judge(rehearse(tmp_path / "good", seconds=60)))
    given = {} if query is None else {"query": query}
    where = {"params": given} if method == "GET" else {"data": given}
    answer = requests.request(method, f"{address}/api/v1/query", timeout=30, **where)  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert answer.json()["status"] == "error"
    assert answer.json()["errorType"] == "bad_data"


def test_other_errors_of_the_question(tmp_path: Path, serve: Serve) -> None:
    """A time that is none, a form that is none or too long, labels that nobody knows: 400, and the judge lives on."""
    address = serve(judge(rehearse(tmp_path / "good")))
    url = f"{address}/api/v1/query"
    answers = [
        requests.post(url, data={"query": QUERY, "time": "nan"}, timeout=30),
        requests.post(url, data=b"query=\xff\xfe", timeout=30),
        requests.post(url, data=b"a=1&" * 1000, timeout=30),
        requests.post(url, data=1_000_000 * b"x", timeout=30),
        requests.get(f"{address}/verdict", params={"namespace": "shop"}, timeout=30),
        requests.get(f"{address}/verdict", params={"namespace": "shop", "rollout": "f", "x": "1"}, timeout=30),
        requests.get(f"{address}/trace", params={"namespace": "shop", "rollout": "a b"}, timeout=30),
    ]
    assert [answer.status_code for answer in answers] == len(answers) * [400]
    assert all(json.loads(answer.text)["status"] == "error" for answer in answers)
    assert ask(address) == 1


def test_without_a_time_the_judge_looks_now(tmp_path: Path, serve: Serve) -> None:
    """Without `time` the clock counts: these samples lie in the future, so nothing is known yet."""
    address = serve(judge(rehearse(tmp_path / "good")))
    answer = requests.get(f"{address}/api/v1/query", params={"query": QUERY}, timeout=30).json()
    assert answer["data"]["result"][0]["value"][1] == "0"
    assert parse(QUERY).timing.deadline == 4 * 3600


# ---- the ledger, really -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("worse", "expected"), [(0.0, 1), (0.1, -1)])
def test_truth_from_a_ledger(tmp_path: Path, serve: Serve, worse: float, expected: int) -> None:
    """A canary whose scores are as good is promoted on the truth, one 10 points worse in Brier loss is aborted."""
    folder = rehearse(tmp_path / "rehearsal", more=60)
    url = f"sqlite:///{tmp_path}/ledger.db"
    worlds.predict(Ledger(url), rate=20, seconds=900, worse=worse)
    address = serve(judge(folder, WITH_TRUTH, FromLedger(lambda: Ledger(url, read_only=True))))
    assert ask(address, TRUE, START + 975) == expected
    verdict = told(address, START + 975, maturity="1m")
    assert verdict.metrics[-1].name == "truth"
    assert verdict.metrics[-1].counts["canary"].requests == 6000


def test_a_ledger_that_comes_later(tmp_path: Path, serve: Serve) -> None:
    """The judge starts without its ledger, and reads it as soon as it is there."""
    folder = rehearse(tmp_path / "rehearsal", more=60)
    url = f"sqlite:///{tmp_path}/ledger.db"
    address = serve(judge(folder, WITH_TRUTH, FromLedger(lambda: Ledger(url, read_only=True))))
    assert ask(address, TRUE, START + 975) == 0
    worlds.predict(Ledger(url), rate=20, seconds=900, worse=0.0)
    assert ask(address, TRUE, START + 975) == 1
