"""docs/deployment.md and docs/monitoring.md on the live platform: their commands as they stand, and what they show."""

import base64
import functools
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import yaml
from tests.cluster.machine import outside
from tests.cluster.machine.cluster import NAMESPACE
from tests.cluster.machine.kubernetes import wait
from tests.cluster.machine.place import NODE
from tests.cluster.machine.programs import ROOT
from tests.cluster.scenarios.playing import Stage

PAGES = ("deployment", "monitoring")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[\d;]*m")
WRITTEN = "1.0.0"  # what the pages call the recorded stable
ELSEWHERE = {  # how commands begin that are not run here, and why
    "export ": "Fork.environment sets both",
    "slipway runtime build ": "takes minutes; fork.py does it",
    "slipway platform build ": "takes minutes; fork.py does the same by its function",
    "grep -rl ": "the fork names its repository already",
    "sed -i ": "no job of a workflow runs here",
    "git ": "nothing is there to commit",
    "printf ": "passwords of this cluster take the place of invented ones: see Person.writes",
    "openssl ": "as above",
    "dvc ": "the first model of each run, in Cluster.make",
    "slipway record": "as above; tests/workflows",
    "slipway gate ": "as above",
    "slipway package": "as above",
    "slipway sign": "as above",
    "slipway verify": "as above",
    "slipway register": "as above",
    "slipway push": "as above",
    "slipway release ": "test_staging.py",
    "slipway rollback ": "test_scenarios.py",
    "kubectl -n slipway port-forward ": "does not end",
    "slipway judge explain ": "needs the line before",
}
GIVEN = {  # what the pages have a person write under build/: the Secret that has it here
    "keys": "flights-ledger",
    "credentials": "flights-ledger",
    "relay-token": "relay",
    "git-credentials": "relay",
}
ADDRESS = re.compile(r"printf 'postgresql\+psycopg://(\w+):PASSWORD@")
ROLES = {"judge": "ledger", "flights": "ledger-owner"}  # of a printed address: the Secret that has it here
PORT, SECONDS = 9092, 45.0
ALERTS = yaml.safe_load((ROOT / "monitoring/alerts.yaml").read_text())["groups"][0]["rules"]
OTHERS = {"rollout_info", "argocd_app_info", "traefik_service_requests_total"}  # metrics of other projects, by alerts


class Block(NamedTuple):
    """Commands of a page, and the output that it shows below them."""

    commands: list[str]
    shown: list[str]


def blocks(page: str) -> list[Block]:
    """What a page has a person type; comments are left out, and lines put together that go on."""
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    found, end = list[Block](), -1
    for fence in FENCE.finditer(text):
        language, code = fence.groups()
        if language == "sh":
            lines = re.sub(r"\\\n\s*", "", code).splitlines()
            found.append(Block([re.sub(r"\s{2,}#.*", "", line) for line in lines], []))
            end = fence.end()
        elif language == "text" and end >= 0 and not text[end : fence.start()].strip():
            found[-1].shown.extend(code.splitlines())
    return found


def pattern(line: str) -> str:
    """Match a line that is shown: blanks are as wide as they like, and `...` is anything."""
    return ".*".join(r"\s+".join(map(re.escape, part.split())) for part in line.split("..."))


class Person:
    """Types commands in the fork's checkout, each once, with kubectl and its plugin on PATH."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._printed = stage, dict[str, str]()
        self._addresses = {role: data(stage, secret)["url"] for role, secret in ROLES.items()}
        programs = stage.cluster.programs
        self._tools = ":".join(str(Path(programs[name]).parent) for name in ("kubectl", "kubectl-argo-rollouts"))

    def writes(self, command: str) -> None:
        """Where the page prints an address with an invented password, have the one of this cluster in its place."""
        if role := ADDRESS.match(command):
            (self._stage.cluster.fork.root / "build/url").write_bytes(self._addresses[role[1]])

    def type(self, command: str) -> str:
        """Run it until it ends well, as things may just be on their way; return what it printed."""

        def run() -> tuple[str]:
            lines = f"PATH={self._tools}:$PATH\n{command}"
            return (self._stage.cluster.fork.run("timeout", "60", "bash", "-euo", "pipefail", "-c", lines),)

        if command not in self._printed:
            (said,) = wait(run, command, self._stage.cluster.box.place, SECONDS)
            self._printed[command] = COLOUR.sub("", said)
        return self._printed[command]

    def sees(self, line: str, commands: list[str]) -> bool:
        """Whether one of them has printed such a line; if none has, they are to be run again."""
        if any(re.search(pattern(line), self.type(command)) for command in commands):
            return True
        for command in commands:
            del self._printed[command]
        return False


def data(stage: Stage, secret: str) -> dict[str, bytes]:
    """What a Secret holds."""
    namespace = NAMESPACE if secret == "flights-ledger" else "slipway"  # noqa: S105  # a name
    encoded = stage.cluster.object("secret", secret, namespace)["data"]
    return {name: base64.b64decode(value) for name, value in encoded.items()}


@pytest.fixture(scope="module")
def person(stage: Stage) -> Person:
    """Somebody in an up-to-date checkout, who has written what the Secrets are made of."""
    stage.cluster.fork.pull()
    stage.ask_staging()
    folder = stage.cluster.fork.root / "build"
    for name, secret in GIVEN.items():
        (folder / name).write_bytes(data(stage, secret)[name])
    return Person(stage)


def test_what_is_not_run_is_on_the_list_for_a_reason() -> None:
    """Each entry is the beginning of a command of these pages."""
    every = [command for page in PAGES for block in blocks(page) for command in block.commands]
    assert [start for start in ELSEWHERE if not any(command.startswith(start) for command in every)] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_true(stage: Stage, person: Person, page: str) -> None:
    """Each command ends with 0, in the page's order, and among what they print is what the page shows."""
    for block in blocks(page):
        commands = [command for command in block.commands if not command.startswith(tuple(ELSEWHERE))]
        for command in block.commands:
            person.writes(command)
            if command in commands:
                print(command, flush=True)
                person.type(command)
        for line in (line.replace(WRITTEN, stage.stable) for line in block.shown):
            there = functools.partial(person.sees, line, commands)
            wait(there, f"`{line}` in the output", stage.cluster.box.place)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_the_command_of_an_alert_runs(stage: Stage, person: Person, rule: dict[str, Any]) -> None:
    """Whatever the alert is about: in production, its rollout, one of its pods, one of its analyses if any is left."""

    def one(kind: str, *options: str) -> str:
        listed = stage.cluster.kubectl.run("--namespace", NAMESPACE, "get", kind, *options, "--output=name").split()
        return listed[0].rpartition("/")[2] if listed else ""

    command = rule["annotations"]["command"]
    names = {
        "namespace": NAMESPACE,
        "name": one("analysisruns") if "analysisrun" in command else "flights",
        "pod": one("pods", "--selector=app.kubernetes.io/name=flights"),
    }
    person.type(re.sub(r"{{ \$labels\.(\w+) }}", lambda label: names[label[1]], command))


@pytest.fixture
def prometheus(stage: Stage) -> Iterator[Any]:
    """A Prometheus with the configuration of monitoring/, each second; returns a function that asks it.

    Debian's knows no `kubernetes_sd_configs`, so it is handed the pods as those would find them, before relabelling.
    """
    place = stage.cluster.box.place
    wait(lambda: not stage.pods(stage.now.stable, others=True), "the end of earlier pods", place)  # none is found anew
    pods = json.loads(stage.cluster.kubectl.run("get", "pods", "--all-namespaces", "--output=json"))["items"]
    config = yaml.safe_load((ROOT / "monitoring/prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ROOT / "monitoring/alerts.yaml")]
    for job in config["scrape_configs"]:
        (found,) = job.pop("kubernetes_sd_configs")
        job.pop("scrape_interval", None)
        names = found["namespaces"]["names"]
        mine = [pod for pod in pods if pod["metadata"]["namespace"] in names and "podIP" in pod["status"]]
        job["static_configs"] = [target for pod in mine for target in targets(pod)]
    path, address = place.config / "prometheus-docs.yaml", f"{NODE}:{PORT}"
    path.write_text(yaml.safe_dump(config))
    kept = f"--storage.tsdb.path={place.state / 'prometheus-docs'}"
    heard = (f"--web.listen-address={address}", "--web.enable-lifecycle")
    stage.cluster.box.start("prometheus-docs", ["prometheus", f"--config.file={path}", kept, *heard])

    def ask(question: str) -> Any:
        return requests.get(f"http://{address}/api/v1/{question}", timeout=5).json()["data"]

    try:
        wait(lambda: requests.get(f"http://{address}/-/ready", timeout=2).ok, "prometheus-docs", place)
        yield ask
    finally:
        with suppress(requests.RequestException):
            requests.post(f"http://{address}/-/quit", timeout=5)


def targets(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the role `pod` finds: a target for each port of each container, or one without a port."""
    metadata, address = pod["metadata"], pod["status"]["podIP"]
    labels = {f"pod_label_{re.sub(r'[^a-zA-Z0-9_]', '_', key)}": value for key, value in metadata["labels"].items()}
    labels |= {"namespace": metadata["namespace"], "pod_name": metadata["name"], "pod_ip": address}
    for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
        for port in container.get("ports") or [{}]:
            number, here = port.get("containerPort"), dict(labels)
            if number:
                here |= {"pod_container_port_name": port.get("name", ""), "pod_container_port_number": str(number)}
            meta = {f"__meta_kubernetes_{key}": value for key, value in here.items()}
            yield {"targets": [f"{address}:{number}" if number else address], "labels": meta}


def test_prometheus_finds_what_the_page_names(stage: Stage, prometheus: Any) -> None:
    """Each job has targets, all are up, and no alert is about to fire on a platform that is well."""
    place = stage.cluster.box.place

    def up() -> dict[str, set[str]]:
        found = prometheus("targets?state=active")["activeTargets"]
        if not found or any(target["health"] != "up" for target in found):
            return {}
        jobs = {target["labels"]["job"] for target in found}
        return {job: {each["labels"]["instance"] for each in found if each["labels"]["job"] == job} for job in jobs}

    seen = wait(up, "each target", place)
    assert seen.keys() == {"traefik", "judge", "relay", "flights", "argo-rollouts", "argocd"}
    assert seen["traefik"] == {outside.SCRAPED["traefik"]}  # as the judge's own Prometheus scrapes it here
    assert (len(seen["judge"]), len(seen["relay"]), len(seen["argocd"])) == (2, 1, 1)

    def quiet() -> bool:
        rules = prometheus("rules?type=alert")["groups"][0]["rules"]
        # A scenario before may have ended in errors, which is told for an hour.
        loud = {rule["name"] for rule in rules if rule["state"] != "inactive"} - {"AnalysisError"}
        return not loud and all(rule["health"] == "ok" for rule in rules) and len(rules) == len(ALERTS)

    wait(quiet, "an end of all alerts", place)
    assert OTHERS - set(prometheus("label/__name__/values")) == set()
    (sample, *_) = prometheus('query?query=slipway_requests_total{route="/predict"}')["result"]
    assert {"namespace", "pod", "rollouts_pod_template_hash"} <= sample["metric"].keys()  # as the dashboard asks
