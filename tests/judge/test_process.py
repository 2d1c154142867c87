"""`slipway judge serve` as it runs in a cluster: processes that ask the Kubernetes API and Prometheus over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from tests.conftest import ROOT
from tests.judge.conftest import answering
from tests.judge.sources import BEGUN, ODD, RUNS, Cluster, Counters

from canary.objects import DIGEST, deployment, pod, run
from slipway.adapters.processes import free_port
from slipway.commands import judge_serve
from slipway.errors import Broken

NOW = BEGUN + 910
QUERY = 'verdict{namespace="shop", rollout="flights", bake="0s", maturity="0s", deadline="4h", cycle="0s"}'
GIVEN = {"namespace": "shop", "rollout": "flights", "deadline": "4h", "maturity": "0s", "time": str(NOW)}
Start = Callable[..., str]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start processes with arguments; their addresses. All are ended, and must end well."""
    processes = []

    def one(*arguments: str, **variables: str) -> str:
        port = free_port()
        command = [sys.executable, "-m", "slipway", "judge", "serve", "--port", str(port), *arguments]
        process = subprocess.Popen(command, env=os.environ | variables, cwd=ROOT, stdout=subprocess.DEVNULL)
        processes.append(process)
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            assert process.poll() is None
            try:
                requests.get(f"{address}/healthz", timeout=5).raise_for_status()
            except requests.ConnectionError:
                time.sleep(0.1)
            else:
                return address
        raise AssertionError("the judge does not start")

    yield one
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(30) for process in processes] == len(processes) * [0]


class World:
    """Two replicas of the judge and what they ask."""

    def __init__(self, folder: Path, start: Start, stack: ExitStack) -> None:
        self.cluster, self.counters = Cluster(), Counters()
        cluster, prometheus = (
            stack.enter_context(answering(lambda path, name=name: getattr(self, name)(path)))
            for name in ("cluster", "counters")
        )
        policy = yaml.safe_load((ROOT / "rollouts/judge.yaml").read_text())
        (folder / "judge.yaml").write_text(yaml.safe_dump(policy))
        (folder / "kubeconfig").write_text(kubeconfig(cluster))
        (folder / "ledger").write_text(f"sqlite:///{folder}/ledger.db\n")  # not there: the judge starts all the same
        self.start = lambda: start(
            *("--kubernetes", "--prometheus", prometheus, "--policy", str(folder / "judge.yaml")),
            *("--ledger", str(folder / "ledger")),
            KUBECONFIG=str(folder / "kubeconfig"),
        )
        self.addresses = [self.start(), self.start()]

    def ask(self, address: str | None = None) -> int:
        """Ask as the analysis does."""
        url = f"{address or self.addresses[0]}/api/v1/query"
        answer = requests.post(url, data={"query": QUERY, "time": NOW}, timeout=30)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["data"]["result"][0]["value"][1])

    def told(self, address: str | None = None, **labels: str) -> bytes:
        """Ask as a person does."""
        answer = requests.get(f"{address or self.addresses[0]}/verdict", params=GIVEN | labels, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.content


def kubeconfig(server: str) -> str:
    """A kubeconfig without credentials."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "c", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        }
    )


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory, start: Start) -> Iterator[World]:
    """Two replicas, started once."""
    with ExitStack() as stack:
        yield World(tmp_path_factory.mktemp("replicas"), start, stack)


@pytest.fixture
def world(replicas: World) -> World:
    """The replicas, with sources as they are when all is well."""
    replicas.cluster, replicas.counters = Cluster(), Counters()
    return replicas


def test_promote_and_abort(world: World) -> None:
    """Facts of the cluster and counters of Prometheus make a verdict: 1 for a canary like stable, -1 for a worse."""
    assert world.ask() == 1
    world.counters.bad = 0.06
    assert world.ask() == -1


def test_two_replicas_and_a_restart_say_the_same(world: World) -> None:
    """The same facts at the same time are the same bytes, from either replica, before and after a restart."""
    world.counters.bad = 0.015
    said = {world.told(address) for address in (*world.addresses, *world.addresses, world.start())}
    assert len(said) == 1


def test_a_person_gets_the_analysis_of_the_rollout(world: World) -> None:
    """Where a person names no bake, that of the last run counts: 30 minutes."""
    assert b'"reason": "bake"' in world.told()
    assert b'"reason": "bake"' not in world.told(bake="1m")


def test_only_reads(world: World) -> None:
    """The judge gets and lists four things of the cluster; any other method would be a 501 of this server."""
    world.ask()
    assert {path.partition("?")[0].partition("/shop/")[-1] for path in world.cluster.asked} == {
        "rollouts/flights",
        "deployments/flights",
        "analysisruns",
        "pods",
    }


def test_a_person_goes_back(world: World) -> None:
    """What the Deployment says at each look counts: 1 whatever the evidence, and the release after it is judged."""
    world.counters.bad = 0.06
    world.cluster.pods = [pod("False", "12:13:00")]
    assert world.ask() == -1
    world.cluster.deployment = deployment(rollback=DIGEST)
    assert [world.ask(address) for address in world.addresses] == [1, 1]
    told = world.told()
    assert b'"detail": "a person goes back to this release; it is not judged"' in told
    assert b'"held": []' in told
    trace = requests.get(f"{world.addresses[0]}/trace", params=GIVEN, timeout=30).json()
    assert trace["rollout"]["rollback"] is True
    assert trace["verdict"]["abort"] > trace["verdict"]["abort_needed"]
    world.cluster.deployment["metadata"]["generation"] = 8  # the controller has not seen it yet
    assert world.ask() == -1
    world.cluster.deployment = deployment()
    assert world.ask() == -1
    world.counters.odd = "500"
    world.cluster.deployment = deployment(rollback=DIGEST)
    assert world.ask() == 1


@pytest.mark.parametrize("odd", [*ODD, "gone"])
def test_a_deployment_that_cannot_be_read_is_a_doubt(world: World, odd: str) -> None:
    """Nobody knows then whether a person goes back: 0, never a promotion, and `facts` as the reason."""
    if odd == "gone":
        world.cluster.deployment = None
    else:
        world.cluster.odd, world.cluster.to = odd, "/deployments/"
    assert world.ask() == 0
    assert b'"reason": "facts"' in world.told()


def test_unavailable(world: World) -> None:
    """-2 where the last pod of the canary stopped being ready more than a minute ago."""
    world.cluster.pods = [pod("False", "12:13:00"), pod("False", "12:13:10")]
    assert world.ask() == -2
    world.cluster.pods = [pod("False", "12:13:00"), pod("False", "12:14:55")]
    assert world.ask() == 0


def test_an_attempt_after_a_retry(world: World) -> None:
    """A retry is judged by its own requests; so is what follows an end without a verdict, whatever step it is at."""
    world.cluster.runs = [run(1, "11:00:00", "11:10:00", "Failed"), *world.cluster.runs]
    assert b'"attempt": 2' in world.told()
    world.cluster.runs = [run(1, "11:00:00", "11:10:00", "Inconclusive"), *RUNS[1:]]
    assert b'"attempt": 2' in world.told()
    assert world.ask() == 1


@pytest.mark.parametrize("odd", [*ODD, "gone"])
def test_a_cluster_that_does_not_answer_is_a_doubt(world: World, odd: str) -> None:
    """Whatever the API server says instead: 0, and `facts` as the reason, also for a canary that is worse."""
    world.counters.bad = 0.06
    if odd == "gone":
        del world.cluster.rollout["status"]
    else:
        world.cluster.odd = odd
    assert world.ask() == 0
    assert b'"reason": "facts"' in world.told()


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd != "slow"])
def test_a_prometheus_that_does_not_answer_is_a_doubt(world: World, odd: str) -> None:
    """Whatever Prometheus says instead: 0, and `samples` as the reason. A canary without pods is still aborted."""
    world.counters.odd = odd
    assert world.ask() == 0
    assert b'"reason": "samples"' in world.told()
    world.cluster.pods = [pod("False", "12:13:00")]
    assert world.ask() == -2


@pytest.mark.parametrize(("to", "odd"), [("_bucket", "null"), ("_count", "null"), ("up{", "null"), ("_bucket", "slow")])
def test_a_part_that_fails_hides_no_abort(world: World, to: str, odd: str) -> None:
    """Where only some queries fail a canary is not promoted, and one that is worse in the others is aborted."""
    world.counters.odd, world.counters.to = odd, to
    assert world.ask() == 0
    world.counters.bad = 0.06
    looks = 5 if odd == "slow" else 1  # of a busy machine one may be too slow beside that, which is a doubt
    assert -1 in (world.ask() for _ in range(looks))


def test_a_canary_that_the_router_never_shows(world: World) -> None:
    """-2 where the weight promised the canary hundreds of requests, and the router has not even a counter of it."""
    world.counters.silent = True
    assert world.ask() == -2


def test_half_an_answer_is_none(world: World) -> None:
    """Where Prometheus warns that its answer may lack something, nothing is promoted on it."""
    world.counters.warnings = ("1 store is down",)
    assert world.ask() == 0
    assert b"1 store is down" in world.told()


def test_no_scrape_no_promotion(world: World) -> None:
    """Where nothing says that the router is scraped, nothing is promoted; the reason names the selector."""
    world.counters.scraped = False
    assert world.ask() == 0
    assert b"no scrape of the router yet" in world.told()


@pytest.mark.parametrize(
    "told", [{}, {"kubernetes": True}, {"rehearsal": Path(), "kubernetes": True}, {"rehearsal": Path()}]
)
def test_told_what_to_name(told: dict[str, Any]) -> None:
    """Without a place to look, with two, and with a policy that judges truth without a ledger, it does not start."""
    with pytest.raises(Broken, match=r"not told where|no ledger") as refused:
        judge_serve.serve(ROOT / "rollouts/judge.yaml", **told)
    assert "Name" in refused.value.remedy


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """A port that somebody listens at is an error of this command, with a remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Broken, match="nothing can listen"):
        judge_serve.serve(
            ROOT / "rollouts/judge.yaml",
            rehearsal=tmp_path,
            ledger=f"sqlite:///{tmp_path}/l.db",
            host="127.0.0.1",
            port=taken.getsockname()[1],
        )


def test_no_cluster(tmp_path: Path) -> None:
    """Outside a pod and without a kubeconfig it says so."""
    variables: dict[str, Any] = os.environ | {"KUBECONFIG": str(tmp_path / "none")}
    command = [sys.executable, "-m", "slipway", "judge", "serve", "--kubernetes", "--prometheus", "http://127.0.0.1:1"]
    ended = subprocess.run(
        [*command, "--ledger", f"sqlite:///{tmp_path}/l.db"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "there is no cluster" in ended.stderr
