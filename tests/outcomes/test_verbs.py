"""The verbs of outcomes, as processes on a real bare repository and a real registry."""

import json
import os
from collections.abc import Callable

from tests.outcomes.webhook import Webhook
from tests.outcomes.world import World
from tests.samples import digest, package

from slipway import quarantine, records
from slipway.adapters import mlflow
from slipway.manifests import tree
from slipway.records import Evidence

EVIDENCE = Evidence(
    detail="1 in 3 fails",
    blame="errors",
    requests={"stable": 900.0},
    seconds=60,
    abort=9,
    abort_needed=3,
    attempt=1,
    step=1,
)


def said(world: World, code: int, *command: str, **more: str) -> str:
    """Run a verb that must end with a code; returns what it said, and sees that main stayed as it was."""
    before = world.head()
    done = world.run("slipway", *command, **more)
    assert done.returncode == code, done.stdout + done.stderr
    assert world.head() == before
    return " ".join(done.stderr.split())


def image(world: World, environment: str = "production") -> str:
    """The digest of what Argo CD would run."""
    return tree.image_of(world.manifests(environment)).partition("@")[2]


def test_an_abort_restores_the_recorded_stable_byte_for_byte(world: World) -> None:
    """A stable, B superseded in canary, C aborted: A's manifests come back, though the sources have changed since."""
    world.release("1.0.0")
    world.promote("1.0.0")
    stood = world.manifests()
    change_sources(world)
    superseded = world.release("1.1.0")
    aborted = world.release("1.2.0", supersede=True)
    assert world.manifests() != stood

    printed = world.ok(
        *("revert", "--digest", aborted, "--cause", "verdict", "--evidence", records.dumps(EVIDENCE), "--json")
    )

    assert world.manifests() == stood
    assert json.loads(printed) == json.loads(records.dumps(world.state().releases["1.2.0"]))
    assert world.kinds("1.1.0") == ["proposed", "superseded"]
    event = world.state().releases["1.2.0"].events[-1]
    assert (event.kind, event.cause, event.evidence) == ("reverted", "verdict", EVIDENCE)
    barred = quarantine.active(world.state().quarantine)
    assert set(barred) == set(quarantine.digests(package("1.2.0")).values())
    assert superseded not in barred
    promoted = world.state().releases["1.0.0"].events[-1]
    assert "Release 1.0.0 to production" in world.git("log", "-1", "--format=%s", str(promoted.commit))


def change_sources(world: World) -> None:
    """Merge a change of production's sources, which the next release will bring."""
    world.git("pull", "-q", folder=world.clone)
    for path in (world.clone / "k8s/next").glob("*/v1_service_flights-stable.yaml"):
        path.write_text(path.read_text().replace("metadata:\n", "metadata:\n  labels: {changed: 'yes'}\n", 1))
    for command in ("commit -qam Sources", "push -q origin main"):
        world.git(*command.split(), folder=world.clone)


def test_staging_follows_its_sources_also_on_the_way_back(world: World) -> None:
    """An abort there restores the image; the manifests are those of the last merge, as `manifests check` wants it."""
    world.release("1.0.0", "staging")
    world.promote("1.0.0", "staging")
    change_sources(world)
    world.release("1.1.0", "staging")
    world.revert("1.1.0", "staging", "deadline")

    assert image(world, "staging") == package("1.0.0").image_digest
    assert "changed: 'yes'" in world.manifests("staging")["v1_service_flights-stable.yaml"]
    assert not world.state().quarantine.events


def test_the_first_release_leaves_nothing_to_apply(world: World) -> None:
    """With no recorded stable the folder is there, as Argo CD wants it, and holds no manifest."""
    world.release("1.0.0", "staging")
    world.revert("1.0.0", "staging", "unavailable")

    assert set(world.manifests("staging")) == {"README.md"}


def test_a_person_goes_back_and_the_release_in_flight_gives_way(world: World) -> None:
    """Manifests of the target as they were, but for the annotation; champion again; the next release clears it."""
    world.release("1.0.0")
    stood = world.manifests()
    world.promote("1.0.0")
    world.release("1.1.0")
    world.promote("1.1.0")
    world.release("1.2.0")
    world.ok("rollback", "--to", "1.0.0", "--why", "1.1.0 warns too often")

    now, target = world.manifests(), package("1.0.0").image_digest
    changed = {name for name in now if now[name] != stood[name]}
    assert changed == {"apps_v1_deployment_flights.yaml"}
    assert now == tree.with_rollback(stood, target)
    assert world.state().stable.environments == {"production": "1.0.0"}
    assert world.kinds("1.2.0") == ["proposed", "superseded"]
    assert world.kinds("1.1.0") == ["proposed", "promoted", "rolled-back"]
    assert world.kinds("1.0.0") == ["proposed", "promoted", "restored"]
    champion = mlflow.by_alias(world.uri, mlflow.CHAMPION)
    assert champion is not None
    assert champion.model_digest == package("1.0.0").bundle.model_digest

    world.release("1.3.0")
    assert not tree.rollbacks(world.manifests())


def test_a_repetition_makes_no_commit_and_mends_the_registry(world: World) -> None:
    """Git has it; the registry is brought to it: no challenger, and a tag that says why."""
    world.release("1.0.0")
    world.promote("1.0.0")
    aborted = world.release("1.3.0")
    world.revert("1.3.0")
    head = world.head()
    assert mlflow.by_alias(world.uri, mlflow.CHALLENGER) is not None
    world.ok("revert", "--digest", aborted, "--cause", "deadline")  # the cause is the one that stands in Git

    assert world.head() == head
    assert mlflow.by_alias(world.uri, mlflow.CHALLENGER) is None
    found = mlflow.challenge(world.uri, package("1.3.0").bundle.model_digest)
    assert found is not None
    assert (found.tags["outcome"], found.tags["cause"]) == ("reverted", "verdict")


def test_the_callers_tree_is_neither_read_nor_touched(world: World) -> None:
    """A dirty checkout on a branch of its own, behind main: the outcome is on main, and nothing has changed here."""
    world.release("1.0.0", "staging")
    world.git("checkout", "-q", "-b", "mine", "HEAD~1", folder=world.clone)
    (world.clone / "rollouts/judge.yaml").write_text("mine\n")
    (world.clone / "new.txt").write_text("mine\n")
    before = world.git("status", "--porcelain", folder=world.clone), world.git("log", folder=world.clone)
    world.ok("promote", "1.0.0", "-e", "staging")

    assert (world.git("status", "--porcelain", folder=world.clone), world.git("log", folder=world.clone)) == before
    assert world.kinds("1.0.0", "staging") == ["proposed", "promoted"]
    assert world.git("worktree", "list", folder=world.clone).count("\n") == 0


def test_a_clean_main_is_brought_forward_and_an_unpushed_commit_stays_here(world: World) -> None:
    """What was done is seen where it was done; what nobody has reviewed is not pushed along."""
    world.release("1.0.0", "staging")
    world.git("reset", "-q", "--hard", "HEAD~1", folder=world.clone)
    world.ok("promote", "1.0.0", "-e", "staging")
    assert world.git("rev-parse", "HEAD", folder=world.clone) == world.head()

    world.git("commit", "-q", "--allow-empty", "-m", "Unreviewed", folder=world.clone)
    world.release("1.1.0", "staging")
    world.ok("promote", "1.1.0", "-e", "staging")
    assert "Unreviewed" not in world.git("log", "--format=%s", "main")
    assert "Unreviewed" in world.git("log", "--format=%s", folder=world.clone)


def test_a_verb_works_in_a_bare_clone(world: World) -> None:
    """As a machine keeps one, that never looks at files."""
    world.release("1.0.0", "staging")
    world.git("clone", "-q", "--bare", str(world.origin), "bare", folder=world.folder)
    world.ok("promote", "1.0.0", "-e", "staging", folder=world.folder / "bare")
    assert world.kinds("1.0.0", "staging") == ["proposed", "promoted"]


def test_a_hook_that_refuses_leaves_nothing(world: World) -> None:
    """It is a no, said once and with the hook's words; nothing is half written, here or there."""
    world.release("1.0.0", "staging")
    hook = world.origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho once >> refused\necho 'main is frozen' >&2\nexit 1\n")
    hook.chmod(0o755)
    refs = world.git("for-each-ref")

    assert "main is frozen" in said(world, 1, "promote", "1.0.0", "-e", "staging")
    assert (world.origin / "refused").read_text() == "once\n"
    assert world.git("for-each-ref") == refs
    assert world.git("status", "--porcelain", folder=world.clone) == ""
    hook.unlink()
    world.ok("promote", "1.0.0", "-e", "staging")


def test_no_remote_is_no_verdict(world: World) -> None:
    """Broken, with git's words; nothing is written."""
    world.release("1.0.0", "staging")
    world.git("remote", "set-url", "origin", str(world.folder / "nowhere"), folder=world.clone)
    assert "nowhere" in said(world, 2, "promote", "1.0.0", "-e", "staging")


def test_a_machine_without_a_name_commits_nothing(world: World) -> None:
    """Git would make one up from the host; a record needs a name that somebody gave."""
    world.release("1.0.0", "staging")
    nobody = {name: value for name, value in world.environment().items() if not name.startswith("GIT_")}
    keep = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = world.run(
        "env", "-i", *(f"{k}={v}" for k, v in (nobody | keep).items()), "slipway", "promote", "1.0.0", "-e", "staging"
    )

    assert done.returncode == 2
    assert "git does not know who commits" in done.stderr
    assert world.kinds("1.0.0", "staging") == ["proposed"]


def test_a_part_of_the_history_is_not_enough_to_promote(world: World) -> None:
    """The release commit must be found: a shallow clone is told how."""
    world.release("1.0.0", "staging")
    for name in "abc":
        change_sources_by(world, name)
    world.git("clone", "-q", "--depth=1", f"file://{world.origin}", "shallow", folder=world.folder)
    done = world.run("slipway", "promote", "1.0.0", "-e", "staging", folder=world.folder / "shallow")
    assert done.returncode == 2
    assert "git fetch --unshallow" in done.stderr


def change_sources_by(world: World, name: str) -> None:
    """Push an ordinary commit."""
    world.git("pull", "-q", folder=world.clone)
    (world.clone / name).write_text(name)
    for command in (f"add {name}", f"commit -qm {name}", "push -q origin main"):
        world.git(*command.split(), folder=world.clone)


def test_what_is_refused_says_why(world: World) -> None:
    """Unknown releases, strange evidence, a promoted release: exit 1 for a no, 2 for what cannot be read."""
    world.release("1.0.0", "staging")
    world.promote("1.0.0", "staging")
    promoted = package("1.0.0").image_digest

    assert "there is no release 9.9.9" in said(world, 1, "promote", "9.9.9")
    assert "is never reverted" in said(world, 1, "revert", "--digest", promoted, "-e", "staging", "--cause", "verdict")
    assert "runs the image" in said(world, 1, "revert", "--digest", digest("?"), "-e", "staging", "--cause", "person")
    assert "--evidence holds no valid Evidence" in said(world, 2, "promote", "1.0.0", "--evidence", '{"detail": 1}')
    assert "is none of verdict, person" in said(world, 2, "promote", "1.0.0", "--cause", "deadline")


def test_a_dead_registry_is_said_and_the_repetition_goes_on(world: World, webhook: Webhook) -> None:
    """Git is done, people were told, the exit code is 2; then the same command ends well, and tells nobody twice."""
    world.release("1.0.0")
    dead = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "SLIPWAY_NOTIFY": webhook.url}
    done = world.run("slipway", "promote", "1.0.0", **dead)

    assert done.returncode == 2
    assert "Git is done" in done.stderr
    assert "repeat `slipway promote 1.0.0 -e production`" in " ".join(done.stderr.split())
    assert world.kinds("1.0.0") == ["proposed", "promoted"]
    assert len(webhook.received) == 1
    world.ok("promote", "1.0.0", SLIPWAY_NOTIFY=webhook.url)
    assert mlflow.by_alias(world.uri, mlflow.CHAMPION) is not None
    assert len(webhook.received) == 1


def test_a_service_that_does_not_listen_never_decides(world: World, webhook: Webhook) -> None:
    """Said on stderr, exit 0; the repetition, which has nothing else to do, tells it."""
    world.release("1.0.0", "staging")
    webhook.status = 400
    done = world.run("slipway", "promote", "1.0.0", "-e", "staging", SLIPWAY_NOTIFY=webhook.url)

    assert done.returncode == 0
    assert "not told" in done.stderr
    head, webhook.status = world.head(), 200
    for _ in range(2):
        world.ok("promote", "1.0.0", "-e", "staging", SLIPWAY_NOTIFY=webhook.url)
    assert set(webhook.keys) == {head}
    assert len(webhook.received) == 2
    assert webhook.received[-1][1]["title"] == "Promote 1.0.0 in staging"
    assert world.git("rev-parse", f"refs/slipway/notified/{head}") == head


def test_staging_leads_to_production(world: World) -> None:
    """Where its Rollout says so: the same bytes, no build/ folder, once; else it is refused."""
    world.release("1.0.0", "staging")
    assert "not promoted in staging" in said(world, 1, "release", "--carry", "1.0.0")
    world.ok("promote", "1.0.0", "-e", "staging")
    world.ok("release", "--carry", "1.0.0")
    assert image(world) == package("1.0.0").image_digest
    assert world.kinds("1.0.0") == ["proposed"]
    head = world.head()
    world.ok("release", "--carry", "1.0.0")
    assert world.head() == head
    assert "no environment leads to staging" in said(world, 1, "release", "--carry", "1.0.0", "-e", "staging")


def test_what_was_quarantined_is_not_carried(world: World) -> None:
    """Nor is the release in flight disturbed by the attempt."""
    for version in ("1.0.0", "1.1.0"):
        world.release(version, "staging")
        world.promote(version, "staging")
    world.release("1.1.0")
    world.revert("1.1.0")
    assert "is quarantined" in said(world, 1, "release", "--carry", "1.1.0", "--supersede")


def test_a_tree_that_a_killed_run_left_is_cleared_away(world: World, make_world: Callable[[], World]) -> None:
    """By the next run, and git's list of worktrees with it."""
    world.release("1.0.0", "staging")
    left = world.clone / ".git/slipway/tree.left"
    world.git("worktree", "add", "-q", "--detach", str(left), folder=world.clone)
    (left / "half").write_text("written")
    world.ok("promote", "1.0.0", "-e", "staging")

    assert not left.exists()
    assert [path.name for path in (world.clone / ".git/slipway").iterdir()] == ["lock"]
    assert world.git("worktree", "list", folder=world.clone).count("\n") == 0
