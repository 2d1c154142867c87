"""The relay before a Kubernetes API over HTTP: what it reads there, and what it does when that answers nonsense."""

from tests import samples
from tests.judge.conftest import answering
from tests.judge.sources import ODD, RUNS, Cluster
from tests.judge.test_process import kubeconfig
from tests.outcomes.world import World
from tests.relay.running import SPACES, relay, until

from canary import objects

CANARY = samples.package("1.1.0").image_digest


def staging() -> Cluster:
    """The API of a cluster in which the canary of staging is under way."""
    api = Cluster(rollout=objects.rollout(phase="Progressing"), runs=RUNS[:1])
    api.rollout["metadata"]["namespace"] = SPACES["staging"]
    assert api.deployment is not None
    api.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = f"flights:1.1.0@{CANARY}"
    return api


def test_a_canary_of_a_cluster_is_promoted_and_nonsense_is_not_read_as_an_end(world: World) -> None:
    """HTML, nothing, null, 403, 500, another object, from each of the three: nothing is decided."""
    api = staging()

    def answers(path: str) -> tuple[int, bytes]:
        return api(path.replace(f"/namespaces/{SPACES['staging']}/", "/namespaces/shop/"))

    with answering(answers) as address:
        (world.folder / "kubeconfig").write_text(kubeconfig(address))
        with relay(world, "--kubernetes", poll=0.1, KUBECONFIG=str(world.folder / "kubeconfig")) as here:
            until(lambda: here.metric("slipway_relay_looked_at"))
            api.rollout["status"] |= {"phase": "Healthy", "stableRS": "bbb"}
            api.odd = "500"
            api.runs = [objects.run(step, "12:00:00", "12:05:00", "Successful") for step in (1, 3, 5)]
            failures = 'slipway_relay_failures_total{source="facts"}'
            for odd, to in [
                *((odd, "") for odd in ODD if odd != "slow"),
                ("null", "deploy"),
                ("a list", "analysisruns"),
            ]:
                api.odd, api.to = odd, to
                before = here.metric(failures)
                until(lambda before=before: here.metric(failures) > before + 1)
            assert world.kinds("1.1.0", "staging") == ["proposed"]
            api.odd = ""
            until(lambda: world.kinds("1.1.0", "staging") == ["proposed", "promoted"])
    assert world.state().releases["1.1.0"].events[1].cause == "verdict"
