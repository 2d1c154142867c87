"""`slipway relay serve` as it runs: a process, a real origin, the real verbs."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
import requests
from msgspec import structs
from tests import samples
from tests.outcomes.world import World
from tests.relay.github import answering
from tests.relay.running import TOKEN, Relay, begin, github, hang, judge, relay, remembered, see, until

from slipway.adapters.outbox import Outbox
from slipway.adapters.processes import free_port
from slipway.adapters.seen import Folder
from slipway.rollout.relay import Action
from slipway.services.relay import Relay as Service
from slipway.services.relay.acting import Tried, Verbs
from slipway.services.relay.meters import Meters
from slipway.services.relay.reading import Main

CANARY = samples.package("1.1.0").image_digest


@pytest.fixture(scope="module")
def quiet(begun: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A relay that only listens: it looks once an hour."""
    with relay(World(begun.folder), poll=3600) as here:
        yield here


def kinds(world: World, environment: str = "staging") -> list[str]:
    """What happened to the canary."""
    return world.kinds("1.1.0", environment)


def promotions(world: World) -> int:
    """Commits that promote the canary."""
    return world.git("log", "--format=%s", "main").splitlines().count("Promote 1.1.0 in staging")


def turned(here: Relay, times: int = 3) -> None:
    """Wait until a relay has looked so many times more."""
    for _ in range(times):
        before = here.metric("slipway_relay_turned_at")
        until(lambda before=before: here.metric("slipway_relay_turned_at") > before)


# ---- the way from what is seen to what Git says -----------------------------------------------------------------


def test_a_canary_that_ends_well_is_promoted_without_a_webhook(world: World) -> None:
    """It looks by itself; the folder comes later than the relay."""
    with relay(world):
        see(world, CANARY, "progressing")
        see(world, CANARY, "healthy", "verdict")
        until(lambda: kinds(world) == ["proposed", "promoted"])
    assert world.state().releases["1.1.0"].events[-1].cause == "verdict"


def test_a_webhook_makes_it_look_at_once(world: World) -> None:
    """It would look again in an hour."""
    with relay(world, poll=3600) as here:
        until(lambda: here.metric("slipway_relay_looked_at"))
        see(world, CANARY, "aborted", "verdict")
        assert here.hear().status_code == 202
        until(lambda: kinds(world) == ["proposed", "reverted"])
        until(lambda: here.metric('slipway_relay_waiting{what="hints"}') == 0)
    state = world.state()
    assert state.releases["1.1.0"].events[-1].cause == "verdict"
    assert {one.version for one in state.quarantine.events} == {"1.1.0"}
    assert samples.package("1.0.0").image_digest in str(world.manifests("staging"))


def test_many_webhooks_are_one_commit(world: World) -> None:
    """Before the outcome, and after it."""
    with relay(world) as here:
        see(world, CANARY, "healthy", "person")
        with ThreadPoolExecutor(10) as pool:
            codes = list(pool.map(lambda _: here.hear().status_code, range(40)))
        until(lambda: kinds(world) == ["proposed", "promoted"])
        codes += [here.hear().status_code for _ in range(5)]
        turned(here)
    assert set(codes) == {202}
    assert promotions(world) == 1


def test_what_staging_promotes_goes_on_to_production(world: World) -> None:
    """Its Rollout names production as the next environment."""
    with relay(world):
        see(world, CANARY, "healthy", "verdict")
        until(lambda: kinds(world, "production") == ["proposed"])


def test_the_outcome_carries_the_last_words_of_the_judge(world: World) -> None:
    """A real judge, asked while the canary is under way, and gone when it ends."""
    begin(world, bad=0.2)
    see(world, CANARY, "progressing")
    with judge(world) as (process, address), relay(world, "--judge", address):
        until(lambda: remembered(world, "words"))
        process.kill()
        process.wait()
        see(world, CANARY, "aborted", "verdict")
        until(lambda: kinds(world) == ["proposed", "reverted"])
    evidence = world.state().releases["1.1.0"].events[-1].evidence
    assert evidence is not None
    assert evidence.blame == "errors"
    assert evidence.abort >= evidence.abort_needed


# ---- what does not decide ---------------------------------------------------------------------------------------


def test_a_webhook_that_lies_changes_nothing(world: World) -> None:
    """It says that a canary has ended which is under way, or one that does not exist."""
    head = world.head()
    see(world, CANARY, "progressing")
    with relay(world) as here:
        here.hear(image=f"flights:1.1.0@{CANARY}")
        here.hear(namespace="elsewhere")
        turned(here)
        assert here.metric("slipway_relay_actions_total") == 0
    assert (world.head(), kinds(world)) == (head, ["proposed"])


def test_who_has_no_token_is_not_heard(world: World) -> None:
    """Nothing is stored of it; the right one may be exchanged while the relay runs."""
    with relay(world) as here:
        url = f"{here.url}/rollouts"
        assert here.hear(token="wrong").status_code == 401  # noqa: S106
        assert here.hear(token="").status_code == 401
        assert here.hear(token=f"{TOKEN} ").status_code in (401, 202)  # HTTP drops blanks at the end of a header
        assert requests.post(url, json={}, timeout=10).status_code == 401
        assert requests.post(url, json={}, headers={"Authorization": "Basic x"}, timeout=10).status_code == 401
        assert requests.get(url, timeout=10).status_code == 405
        assert here.metric('slipway_relay_webhooks_total{answer="unauthorized"}') >= 4
        (world.folder / "token").write_text("another")
        assert here.hear().status_code == 401
        assert here.hear(token="another").status_code == 202  # noqa: S106


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b'{"namespace": "a", "rollout": "b"}', 400),
        (b'{"namespace": "a", "rollout": "b", "image": "c", "more": 1}', 400),
        (b'{"namespace": "A/..", "rollout": "b", "image": "c"}', 400),
        (b'{"namespace": "a", "rollout": "' + 300 * b"b" + b'", "image": "c"}', 400),
        (b'{"namespace": "a", "rollout": "b", "image": "' + 9000 * b"c" + b'"}', 413),
        (b'{"namespace": "a", "rollout": "b", "image": "c"}', 202),
    ],
)
def test_only_what_the_template_sends_is_taken(quiet: Relay, body: bytes, status: int) -> None:
    """All else is refused in words, and not stored."""
    head = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.post(f"{quiet.url}/rollouts", data=body, headers=head, timeout=10)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("lost", ["git", "facts", "judge"])
def test_a_source_that_is_silent_decides_nothing(world: World, lost: str) -> None:
    """It says so in its metrics, and goes on when the source is back; the judge is needed for no decision."""
    see(world, CANARY, "healthy" if lost == "git" else "progressing", "verdict" if lost == "git" else None)
    seen = world.folder / "rehearsal/staging/seen.json"
    if lost == "git":
        world.origin.rename(world.folder / "gone")
    if lost == "facts":
        seen.write_text("{}")
    options = ("--judge", f"http://127.0.0.1:{free_port()}") if lost == "judge" else ()
    with relay(world, *options) as here:
        until(lambda: here.metric(f'slipway_relay_failures_total{{source="{lost}"}}') >= 2)
        assert here.metric("slipway_relay_actions_total") == 0
        if lost == "git":
            (world.folder / "gone").rename(world.origin)
        see(world, CANARY, "healthy", "verdict")
        until(lambda: kinds(world) == ["proposed", "promoted"])


# ---- what must not be lost --------------------------------------------------------------------------------------


def test_the_webhook_is_answered_while_git_hangs(world: World) -> None:
    """Rollouts waits for the answer before it writes an abort down."""
    hang(world)
    with relay(world) as here:
        for _ in range(3):  # a machine that is busy otherwise must not decide
            times = sorted(here.hear().elapsed.total_seconds() for _ in range(200))
            if times[197] <= 0.1:
                break
        assert times[197] <= 0.1, times[-5:]
        assert remembered(world, "hints") == [("flights-staging", "flights", 0)]


def test_what_was_heard_survives_a_kill(world: World) -> None:
    """Stored before it was answered; looked at after the restart, though nothing else would."""
    hang(world)
    with relay(world) as here:
        here.hear()
        here.kill()
    assert remembered(world, "hints") == [("flights-staging", "flights", 0)]


def test_what_was_decided_survives_a_kill(world: World) -> None:
    """GitHub hangs, the relay is killed, and the rollout has moved on: what is on the disk is still done, and once."""
    see(world, CANARY, "healthy", "verdict")
    with answering([0]) as (address, _), relay(world, *github(world, address)) as here:
        until(lambda: remembered(world, "actions"))
        here.kill()
    (world.folder / "rehearsal/staging/seen.json").unlink()
    with relay(world):
        until(lambda: kinds(world) == ["proposed", "promoted"])
        until(lambda: not remembered(world, "actions"))
    assert promotions(world) == 1


def test_a_kill_in_the_middle_of_a_verb_is_one_commit(world: World, hook: Callable[[str], Path]) -> None:
    """The verb that is left over and the one that follows end in the same state."""
    pushing, free = world.folder / "pushing", world.folder / "free"
    hook(f"touch {pushing}; while [ ! -e {free} ]; do sleep 0.05; done")
    see(world, CANARY, "healthy", "verdict")
    with relay(world) as here:
        until(pushing.exists)
        here.kill()
    free.touch()
    with relay(world):
        until(lambda: kinds(world)[-1] == "promoted")
        until(lambda: not remembered(world, "actions"))
    assert kinds(world) == ["proposed", "promoted"]
    assert promotions(world) == 1


def test_sigterm_ends_it_in_the_middle_of_a_verb(world: World, hook: Callable[[str], Path]) -> None:
    """The verb ends, too, and is run again at the next start."""
    pushing, free = world.folder / "pushing", world.folder / "free"
    hook(f"touch {pushing}; while [ ! -e {free} ]; do sleep 0.05; done")
    see(world, CANARY, "healthy", "verdict")
    with relay(world):
        until(pushing.exists)
    assert subprocess.run(["pgrep", "-f", f"slipway promote.*{world.folder}"], check=False).returncode == 1
    free.touch()
    with relay(world):
        until(lambda: kinds(world)[-1] == "promoted")


def test_a_verb_that_breaks_is_run_again(world: World) -> None:
    """Here main can be read and not be pushed to, for a while."""
    world.git("remote", "set-url", "--push", "origin", str(world.folder / "nowhere"), folder=world.clone)
    see(world, CANARY, "healthy", "verdict")
    with relay(world) as here:
        until(lambda: here.metric('slipway_relay_actions_total{result="broken",verb="promote"}') >= 1)
        world.git("remote", "set-url", "--push", "origin", str(world.origin), folder=world.clone)
        until(lambda: kinds(world) == ["proposed", "promoted"])
        until(lambda: not remembered(world, "actions"))


class HalfDone(Verbs):
    """The verbs; the first one breaks off when main shows the outcome, and its mirrors do not."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.ran = 0

    def act(self, action: Action, tries: int, stop: Event) -> Tried:
        """Run the verb."""
        tried = super().act(action, tries, stop)
        if action.verb != "promote":
            return tried
        self.ran += 1
        return structs.replace(tried, result="broken", after=0.0) if self.ran == 1 else tried


def test_a_verb_that_broke_off_half_done_is_run_to_its_end(world: World) -> None:
    """Main shows the outcome already; the registry is mended by the verb that is run again, and only once."""
    see(world, CANARY, "healthy", "verdict")
    box, verbs = Outbox(world.folder / "relay.db"), HalfDone(world.clone)
    sight = Folder(world.folder / "rehearsal")
    here = Service(
        box, Main(world.clone), sight, verbs, None, tell=lambda *_: (), meters=Meters(), clock=time.time, poll=1
    )
    for ran in (1, 2, 2):
        here.turn()
        assert (verbs.ran, kinds(world)[-1]) == (ran, "promoted")
    assert [one for one in box.actions() if one.key.startswith("promote")] == []
    assert promotions(world) == 1


class Broken(Verbs):
    """Verbs that always break."""

    def act(self, action: Action, _tries: int, _stop: Event) -> Tried:
        """Break."""
        return Tried(result="broken", said=action.verb, after=100.0)


def test_an_outcome_waits_for_the_one_before_it(world: World) -> None:
    """In an environment they are written in order; and whoever waits does not turn without a pause."""
    see(world, CANARY, "healthy", "verdict")
    box = Outbox(world.folder / "relay.db")
    sight, main = Folder(world.folder / "rehearsal"), Main(world.clone)
    here = Service(
        box, main, sight, Broken(world.clone), None, tell=lambda *_: (), meters=Meters(), clock=time.time, poll=1
    )
    for phase in ("healthy", "aborted"):
        see(world, CANARY, phase, "verdict")
        assert here.turn() == 1
    assert [(one.said, one.tries) for one in box.actions()] == [("promote", 1), ("", 0)]


def test_a_verb_that_says_no_is_not_asked_again(world: World, hook: Callable[[str], Path]) -> None:
    """Until main has changed: then the answer may be another one."""
    frozen = hook("echo main is frozen; exit 1")
    see(world, CANARY, "healthy", "verdict")
    with relay(world) as here:
        rejected = 'slipway_relay_actions_total{result="rejected",verb="promote"}'
        until(lambda: here.metric(rejected) == 1)
        turned(here)
        assert here.metric(rejected) == 1
        frozen.unlink()
        turned(here)
        assert kinds(world) == ["proposed"]
        (world.clone / "README.md").write_text("anything\n")
        world.git("add", "README.md", folder=world.clone)
        world.git("commit", "-qm", "Change main", folder=world.clone)
        world.git("push", "-q", folder=world.clone)
        until(lambda: kinds(world) == ["proposed", "promoted"])


def test_github_is_asked_until_main_shows_the_outcome(world: World) -> None:
    """The inputs are those of outcome.yml; that GitHub took them is not the outcome."""
    see(world, CANARY, "healthy", "verdict")
    with answering([500, 204]) as (address, bodies), relay(world, *github(world, address)) as here:
        until(lambda: len(bodies) == 2)
        turned(here)
        assert len(remembered(world, "actions")) == 1
        see(world, CANARY, "progressing")
        world.ok("promote", "1.1.0", "--environment", "staging", "--cause", "verdict")
        until(lambda: not remembered(world, "actions"))
    assert bodies[0] == bodies[1]
    assert bodies[0]["ref"] == "main"
    assert bodies[0]["inputs"] == {
        "verb": "promote",
        "version": "1.1.0",
        "digest": CANARY,
        "environment": "staging",
        "cause": "verdict",
        "evidence": "",
        "why": "",
    }


def test_people_are_told_once(world: World) -> None:
    """A pause without a verdict is no outcome: a sentence in the log, a gauge, a notification, nothing in Git."""
    head = world.head()
    see(world, CANARY, "paused")
    with answering([401]) as (address, bodies), relay(world, SLIPWAY_NOTIFY=address.replace("http", "json")) as here:
        until(lambda: here.metric('slipway_relay_report{environment="staging"}') == 1)
        turned(here)
        see(world, CANARY, "progressing")
        until(lambda: here.metric('slipway_relay_report{environment="staging"}') == 0)
    assert [(body["title"], "paused without a verdict" in body["message"]) for body in bodies] == [
        ("1.1.0 in staging needs a person", True)
    ]
    assert here.log.read_text().count("paused without a verdict") == 1
    assert world.head() == head


def test_a_request_that_never_ends_does_not_hold_up_its_end(world: World) -> None:
    """Half a webhook is there when it is told to end; `relay` sees that it does."""
    with relay(world) as serving:
        half = socket.create_connection(("127.0.0.1", int(serving.url.rpartition(":")[2])))
        half.sendall(f"POST /rollouts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n".encode())
        half.sendall(b"Content-Length: 9\r\n\r\n{")
        until(lambda: requests.get(f"{serving.url}/healthz", timeout=5).ok)
    half.close()


def test_a_wait_that_no_clock_can_hold_is_refused(world: World) -> None:
    """A thread that cannot wait would end, and its service go on as if nothing were."""
    done = world.run("slipway", "relay", "serve", "--token-file", "t", "--rehearsal", "r", "--poll", "inf")
    assert (done.returncode, "--poll" in done.stderr) == (2, True), done.stderr
