"""history, status and audit on a real repository, registry and ledger, as a person on call types them."""

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from tests import samples
from tests.history.story import Story

from slipway import records
from slipway.__main__ import main
from slipway.adapters import files, mlflow
from slipway.adapters.git import Repository
from slipway.rollout.records import Seen

pytestmark = pytest.mark.usefixtures("author")
LEDGER = "sqlite:///ledger.db"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """1.0.0 and 1.1.0 were promoted, 1.2.0 was aborted, 1.3.0 is in flight with the data of 1.1.0. Only to be read."""
    story = Story(tmp_path_factory.mktemp("told"))
    for version in ("1.0.0", "1.1.0"):
        story.release(version)
        story.promote(version)
    story.release("1.2.0")
    story.abort("1.2.0")
    story.release("1.3.0", data="1.1.0")
    story.predicted("1.1.0", truth=1)
    return story


@pytest.fixture
def small(tmp_path: Path) -> Story:
    """1.0.0 is live, 1.1.0 in flight; to be changed."""
    story = Story(tmp_path)
    story.release("1.0.0")
    story.promote("1.0.0")
    story.release("1.1.0")
    return story


def asked(story: Story, *command: str, code: int = 0, **variables: str) -> Any:
    """What a verb answers a program, and that it ends with a code; in this process, where MLflow is loaded once."""
    out = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(StringIO()) as err:
        patch.chdir(story.clone)
        patch.setattr("sys.argv", ["slipway", *command, "--json"])
        patch.setattr("signal.signal", lambda *_: None)  # those of the tests stay
        for name, value in ({"MLFLOW_TRACKING_URI": story.world.uri} | variables).items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
    assert (ended.value.code or 0) == code, out.getvalue() + err.getvalue()
    return json.loads(out.getvalue())


def test_history_is_for_people_and_programs(told: Story) -> None:
    """Both tell what is live, in flight and never was; 80 columns are enough."""
    found = asked(told, "history", "--environment", "production")
    assert [(one["version"], one["left"] and one["left"]["version"]) for one in found["spans"]] == [
        ("1.0.0", "1.1.0"),
        ("1.1.0", None),
    ]
    assert [(one["version"], [end["event"]["kind"] for end in one["ends"]]) for one in found["attempts"]] == [
        ("1.2.0", ["reverted"]),
        ("1.3.0", []),
    ]
    shown = told.world.ok("history", COLUMNS="80").splitlines()
    versions = [line.split()[0] for line in shown if line.startswith("  1.")]
    assert versions == ["1.3.0", "1.2.0", "1.1.0", "1.0.0"]
    assert max(map(len, shown)) <= 80
    assert "left: 1.1.0 was promoted" in "".join(shown)
    assert asked(told, "history", "--environment", "staging") == {"attempts": [], "schema_version": 1, "spans": []}


def test_history_needs_no_network_and_says_so(told: Story, tmp_path: Path) -> None:
    """With the remote gone it tells what was fetched last; status does not pretend to know."""
    told.world.git("clone", "--quiet", str(told.world.origin), str(tmp_path / "away"), folder=tmp_path)
    told.world.git("remote", "set-url", "origin", str(tmp_path / "gone"), folder=tmp_path / "away")
    done = told.world.run("slipway", "history", folder=tmp_path / "away")
    assert (done.returncode, done.stdout) == (0, told.world.ok("history"))
    assert "as of the last fetch" in done.stderr
    assert told.world.run("slipway", "status", folder=tmp_path / "away").returncode == 2


def test_a_part_of_the_history_is_no_history(told: Story, tmp_path: Path) -> None:
    """A shallow clone would name the wrong authors: refused, with the way out."""
    url = f"file://{told.world.origin}"
    told.world.git("clone", "--quiet", "--depth=1", url, str(tmp_path / "shallow"), folder=tmp_path)
    done = told.world.run("slipway", "history", folder=tmp_path / "shallow")
    assert done.returncode == 2
    assert "git fetch --unshallow" in done.stderr


def test_the_planes_agree(told: Story) -> None:
    """Git, registry and rehearsal side by side."""
    found = asked(told, "status")
    assert found["disagreements"] == []
    assert found["quarantined"] == 4
    assert found["registry"]["champion"]["releases"] == ["1.1.0"]
    assert (found["environments"]["production"]["stable"], found["environments"]["production"]["in_flight"]) == (
        "1.1.0",
        "1.3.0",
    )


def test_what_cannot_be_looked_at_is_no_verdict(told: Story) -> None:
    """Without registry, or without the cluster that is asked for: exit 2."""
    nowhere = f"sqlite:///{told.clone}/none.db"
    assert asked(told, "status", "--tracking-uri", nowhere, code=2)["registry"] is None
    assert not Path(told.clone, "none.db").exists()
    said = asked(told, "status", "--cluster", code=2, KUBECONFIG=str(told.world.folder / "none"))
    assert said["what"] == "there is no cluster to ask"


def test_a_rehearsal_is_a_cluster(told: Story, tmp_path: Path) -> None:
    """What the rehearsal saw is held against Git."""
    (where,) = (line for line in told.world.manifests().values() if "kind: Rollout" in line)
    namespace = next(line.split()[1] for line in where.splitlines() if line.startswith("  namespace:"))
    seen = Seen(
        namespace=namespace,
        rollout="flights",
        image=samples.package("1.3.0").image_digest,
        rollback=False,
        phase="progressing",
        cause=None,
        detail="",
        at=0.0,
    )
    files.write_record(tmp_path / "seen.json", seen)
    assert asked(told, "status", "--rehearsal", str(tmp_path))["environments"]["production"]["cluster"]["image"]
    for change in ({"phase": "aborted", "cause": "verdict"}, {"image": samples.digest("another")}):
        files.write_text(tmp_path / "seen.json", json.dumps(json.loads(records.dumps(seen)) | change))
        (wrong,) = asked(told, "status", "--rehearsal", str(tmp_path), code=1)["disagreements"]
        assert wrong["where"] == "production"


def test_a_champion_of_nobodys_making(small: Story) -> None:
    """Somebody moves the alias: status says what mends it, and that does."""
    mlflow.crown(small.world.uri, samples.package("1.1.0").bundle.model_digest)
    (wrong,) = asked(small, "status", code=1)["disagreements"]
    assert wrong["where"] == "registry"
    assert "`slipway promote 1.0.0`" in wrong["remedy"]
    asked(small, "promote", "1.0.0")
    assert asked(small, "status")["disagreements"] == []


def test_history_that_was_changed_by_hand_is_found_until_it_is_put_back(small: Story) -> None:
    """An event that is gone, and an image that nobody released; the commits that did it are named."""
    record, (manifest,) = small.clone / "releases/1.0.0.json", small.clone.glob("k8s/rendered/production/apps*")
    before = record.read_text()
    record.write_text(before.replace("on call", "").replace('"first": true', '"first": false'))
    manifest.write_text(manifest.read_text().replace(":1.1.0@", ":1.0.0@"))
    for command in ("commit -qam By-hand", "push -q origin main"):
        small.world.git(*command.split(), folder=small.clone)
    commit = Repository(small.clone).head()[:12]
    found = asked(small, "status", code=1)["disagreements"]
    assert [(one["where"], commit in one["what"]) for one in found] == [("git", True), ("production", False)]
    assert "the gate's decision was changed" in found[0]["what"]
    small.abort("1.1.0")
    assert [one["where"] for one in asked(small, "status", code=1)["disagreements"]] == ["git"]
    record.write_text(before)
    for command in ("commit -qam Restored", "push -q origin main"):
        small.world.git(*command.split(), folder=small.clone)
    assert asked(small, "status")["disagreements"] == []


def test_the_chain_of_a_prediction(told: Story) -> None:
    """From the id to the data: what it says, that it is genuine, its truth, its release, its commit."""
    identity = told.predicted("1.1.0")
    found = asked(told, "audit", identity, "--keys", "keys", "--ledger", LEDGER)
    files.write_text(address := told.world.folder / "url", f"{LEDGER}\n")
    assert asked(told, "audit", identity, "--keys", "keys", "--ledger", str(address)) == found
    prediction, (chain,) = found["prediction"], found["chains"]
    assert (prediction["signature"], prediction["ledger"], prediction["truth"]) == ("verified", "truth told", 1)
    assert (prediction["version"], prediction["score"]) == ("1.1.0", 0.8125)
    assert prediction["state"] == "live"
    assert (chain["version"], chain["champions"]) == ("1.1.0", ["1.0.0"])
    assert chain["source"]["subject"] == "Train-1.1.0"
    assert chain["source"]["recipe"]
    assert chain["source"]["data"]
    assert chain["registered"]["version"] == "2"
    assert [one["event"]["kind"] for one in chain["events"]] == ["proposed", "promoted"]
    assert asked(told, "audit", identity)["prediction"]["signature"] == "not checked"


@pytest.mark.parametrize("spoil", ["score", "key", "release"])
def test_what_is_forged_is_said_to_be(told: Story, spoil: str) -> None:
    """One character of the id, a key that is not ours, a release that Git does not know."""
    identity = told.predicted("1.1.0")
    if spoil == "score":
        identity = identity[:-30] + ("A" if identity[-30] != "A" else "B") + identity[-29:]
    if spoil == "key":
        files.write_text(told.world.folder / "other", "another-key\n")
    if spoil == "release":
        identity = told.predicted("9.9.9")
    keys = told.world.folder / "other" if spoil == "key" else told.clone / "keys"
    said = asked(told, "audit", identity, "--keys", str(keys), code=1)
    assert {"score": "(forged)", "key": "(key)", "release": "no release has 9.9.9"}[spoil] in said["what"]


@pytest.mark.parametrize("kind", ["image", "bento", "model", "recipe", "data", "source commit", "outcome commit"])
def test_a_name_leads_to_its_releases(told: Story, kind: str) -> None:
    """By a digest, a commit or the data: all releases that have it, the newest first, and what is barred."""
    known = told.world.state().releases
    package = known["1.3.0"].package
    subject = {
        "image": package.image_digest,
        "bento": package.bento_digest,
        "model": package.bundle.model_digest,
        "recipe": package.bundle.recipe_digest,
        "data": package.bundle.data_digest,
        "source commit": package.bundle.source_commit,
        "outcome commit": told.world.head(),
    }[kind]
    short = subject.rpartition(":")[2][:12]
    found = asked(told, "audit", short)
    versions = ["1.1.0", "1.3.0"] if kind == "data" else ["1.3.0"]
    assert [(one["kind"], one["value"], one["versions"]) for one in found["matches"]] == [(kind, subject, versions)]
    assert [chain["version"] for chain in found["chains"]] == versions[::-1]
    assert found["chains"][0]["quarantined"] == []
    aborted = asked(told, "audit", known["1.2.0"].package.image_digest)["chains"][0]
    assert [one["what"] for one in aborted["quarantined"]] == ["image", "bento", "model", "recipe"]


def test_what_nobody_knows(told: Story) -> None:
    """Exit 1, and what it was looked for as; no prefix that is too short."""
    said = asked(told, "audit", 12 * "0", code=1)
    assert "recipe, data, source commit" in said["remedy"]
    assert "12 hexadecimal digits" in asked(told, "audit", "abc", code=1)["remedy"]
    assert "malformed" in asked(told, "audit", "1~abc", code=1)["what"]


def test_a_commit_with_other_data_than_its_release_says(small: Story) -> None:
    """A record that names data which its source commit does not hold is a broken chain: exit 1."""
    record = small.clone / "releases/1.1.0.json"
    record.write_text(record.read_text().replace('"md5:', '"md5:0'))
    for command in ("commit -qam By-hand", "push -q origin main"):
        small.world.git(*command.split(), folder=small.clone)
    assert asked(small, "audit", "1.1.0", code=1)["chains"][0]["source"]["data"] is False
