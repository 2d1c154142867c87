"""No release comes back, or goes on to production, that is not what the workflow of the policy has signed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests import signed
from tests.conftest import IDENTITY, NAME
from tests.outcomes.test_verbs import said
from tests.outcomes.world import World, copy
from tests.samples import digest, package

from slipway.adapters import files
from slipway.commands import release, rollback, shelf, verifying
from slipway.errors import Broken, Rejected
from slipway.releases import PRODUCTION
from slipway.services.loopback_sigstore.instance import Instance

BACK, ON = "1.0.0", "1.2.0"  # what is gone back to, and what goes on from staging to production
VERBS: dict[str, Callable[[World], None]] = {
    "rollback": lambda world: rollback.rollback(BACK, "I say so", tracking_uri=world.uri, root=world.clone),
    "carry": lambda world: release.release(PRODUCTION, world.clone, carry=ON),
}
COMMANDS = (("rollback", "--to", BACK, "--why", "I say so"), ("release", "--carry", ON))
OTHERS = {BACK: "1.1.0", ON: "1.1.0"}
Spoil = Callable[[Path, str], object]


@pytest.fixture(scope="module")
def played(untouched: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world in which each verb has something to do. Read only."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in IDENTITY.items():
            patch.setenv(name, value)
        world = copy(untouched, tmp_path_factory.mktemp("played") / "world")
        for version, environment in ((BACK, PRODUCTION), ("1.1.0", PRODUCTION), (ON, "staging")):
            world.release(version, environment)
            world.promote(version, environment)
    return world


@pytest.fixture
def standing(played: World, make_world: Callable[[], World], tmp_path: Path) -> World:
    """A world of a test's own; `make_world` says who commits."""
    return copy(played, tmp_path / "world")


def push(world: World, spoil: Spoil, folder: Path | None = None) -> None:
    """Push a change of both releases to main, as somebody who may push can."""
    folder = folder or world.clone
    world.git("pull", "-q", "origin", "main", folder=folder)
    for version in (BACK, ON):
        spoil(folder, version)
    for command in ("add -A", "commit -qm By-hand", "push -q origin HEAD:main"):
        world.git(*command.split(), folder=folder)


def refused(world: World, error: type[Rejected | Broken], says: str) -> None:
    """See that both verbs are refused, and that main, the registry and the clone stay as they were."""
    before = untouchable(world)
    for verb in VERBS.values():
        with pytest.raises(error, match=says):
            verb(world)
        assert untouchable(world) == before


def untouchable(world: World) -> tuple[Any, ...]:
    """What a refusal leaves alone."""
    status = world.git("status", "--porcelain", "--branch", folder=world.clone)
    return world.git("for-each-ref"), (world.folder / "mlflow.db").read_bytes(), status


def statement(root: Path, version: str) -> Path:
    """The signed statement of a release."""
    return root / verifying.committed(version)[0]


def card(root: Path, version: str) -> Path:
    """The model card of a release."""
    return root / verifying.committed(version)[1]


def edit(which: Callable[[Path, str], Path], change: Callable[[str], str]) -> Spoil:
    """Change the text of a file."""
    return lambda root, version: which(root, version).write_bytes(change(which(root, version).read_text()).encode())


def signed_by(**claims: str) -> Spoil:
    """Have it signed by another run."""

    def spoil(root: Path, version: str) -> None:
        known = shelf.existing(root)[version]
        signed.write(root, known.package, known.gate, **claims)

    return spoil


def recorded(change: Callable[[Any], Any]) -> Spoil:
    """Change what the record says."""
    return lambda root, version: shelf.write(root, change(shelf.existing(root)[version]))


def bundled(**changes: Any) -> Spoil:
    """Change what the record says of the package."""
    replace = msgspec.structs.replace
    return recorded(
        lambda one: replace(one, package=replace(one.package, bundle=replace(one.package.bundle, **changes)))
    )


def packaged(**changes: Any) -> Spoil:
    """Change the digests that the record says."""
    replace = msgspec.structs.replace
    return recorded(lambda one: replace(one, package=replace(one.package, **changes)))


def swap(root: Path, version: str) -> None:
    """Put the statement and the card of another release in the place of its own."""
    for which in (statement, card):
        which(root, version).write_bytes(which(root, OTHERS[version]).read_bytes())


def forge(text: str) -> str:
    """Change one bit of the signature."""
    bundle = json.loads(text)
    (signature,) = bundle["dsseEnvelope"]["signatures"]
    signature["sig"] = ("B" if signature["sig"][40] != "B" else "C").join(
        (signature["sig"][:40], signature["sig"][41:])
    )
    return json.dumps(bundle)


RUN = "its certificate does not fit the policy: its "
OTHER = digest("another")
SPOILT: dict[str, tuple[Spoil, str]] = {
    "no statement": (lambda root, version: statement(root, version).unlink(), "nobody has signed that release"),
    "no card": (lambda root, version: card(root, version).unlink(), r"there is no attestations/1\..\.0\.cdx\.json"),
    "empty": (edit(statement, lambda _: ""), "its signature is refused"),
    "no JSON": (edit(statement, lambda _: "signed, believe me"), "its signature is refused"),
    "forged": (edit(statement, forge), "its signature is refused"),
    "of another release": (swap, f"the image is sha256:[0-9a-f]+, signed was .*{package('1.1.0').image_digest[7:]}"),
    "other workflow": (
        signed_by(workflow_ref=f"{NAME}/.github/workflows/other.yml@refs/heads/main"),
        RUN + r"signer is \S+/other.yml@refs/heads/main, the policy asks for \S+/release.yml@refs/heads/main",
    ),
    "reusable workflow": (
        signed_by(job_workflow_ref="example/shared/.github/workflows/release.yml@refs/heads/main"),
        RUN + "signer is https://github.com/example/shared/",
    ),
    "other branch": (signed_by(ref="refs/heads/mine"), RUN + r"signer is \S+@refs/heads/mine"),
    "other branch, main's workflow": (
        signed_by(ref="refs/heads/mine", workflow_ref=f"{NAME}/.github/workflows/release.yml@refs/heads/main"),
        RUN + "ref is refs/heads/mine, the policy asks for refs/heads/main",
    ),
    "pull request": (
        signed_by(event_name="pull_request"),
        RUN + "trigger is pull_request, the policy asks for push or workflow_dispatch",
    ),
    "self-hosted": (
        signed_by(runner_environment="self-hosted"),
        RUN + "runner is self-hosted, the policy asks for github-hosted",
    ),
    "other repository": (
        signed_by(repository="someone/slipway"),
        RUN + "repository is https://github.com/someone/slipway",
    ),
    "other commit": (
        signed_by(sha=40 * "d"),
        f"the statement's source commit is {40 * 'c'}, the certificate's is {40 * 'd'}",
    ),
    "image changed": (packaged(image_digest=OTHER), f"the image is {OTHER}, signed was"),
    "bento changed": (packaged(bento_digest=OTHER), f"the bento is {OTHER}, signed was"),
    "data changed": (bundled(data_digest="md5:1"), "the package is recorded otherwise than it was signed"),
    "recipe changed": (bundled(recipe_digest=OTHER), "the package is recorded otherwise than it was signed"),
    "gate changed": (
        recorded(lambda one: msgspec.structs.replace(one, gate=msgspec.structs.replace(one.gate, latency_ms=0.2))),
        "signed was another decision of the gate",
    ),
    "metric changed": (edit(card, lambda text: text.replace('"0.7"', '"0.9"', 1)), "the card.cdx.json is"),
    "card's lines": (edit(card, lambda text: text.replace("\n", "\r\n")), "the card.cdx.json is"),
}


@pytest.mark.parametrize(("spoil", "says"), SPOILT.values(), ids=SPOILT)
def test_what_is_not_as_it_was_signed_goes_nowhere(standing: World, spoil: Spoil, says: str) -> None:
    """The refusal names the fact; main and the registry are as they were."""
    push(standing, spoil)
    refused(standing, Rejected, says)


def test_a_refusal_is_a_no_and_a_missing_root_no_answer(standing: World) -> None:
    """As exit codes, 1 and 2; with all in order both verbs go through, and say by whose root."""
    for command in COMMANDS:
        assert "none.json" in said(standing, 2, *command, **{verifying.LOOPBACK: "none.json"})
    spoilt = copy(standing, standing.folder.with_name("spoilt"))
    push(spoilt, lambda root, version: statement(root, version).unlink())
    for command in COMMANDS:
        assert "nobody has signed that release" in said(spoilt, 1, *command)
    for command in reversed(COMMANDS):
        done = standing.run("slipway", *command)
        assert done.returncode == 0, done.stderr
        assert "release.yml@refs/heads/main; by a loopback root" in " ".join(done.stderr.split())


def test_a_root_that_is_none(standing: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, no JSON, no trust config: nothing can be said of anybody's signature."""
    url = signed.instance().environment()["ACTIONS_ID_TOKEN_REQUEST_URL"]
    half = json.dumps({"signingConfig": {"caUrls": [{"url": url}]}})
    for name, text, says in (("a", None, "No such file"), ("b", "trust me", "no JSON"), ("c", half, "no client trust")):
        if text is not None:
            (tmp_path / name).write_text(text)
        monkeypatch.setenv(verifying.LOOPBACK, str(tmp_path / name))
        refused(standing, Broken, says)


def test_a_sigstore_that_is_not_ours(standing: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one of this machine did not sign it."""
    (tmp_path / "other").mkdir()
    trust = Instance(tmp_path / "other", 2, 600).trust("http://127.0.0.1:9")
    (tmp_path / "trust.json").write_text(json.dumps(trust))
    monkeypatch.setenv(verifying.LOOPBACK, str(tmp_path / "trust.json"))
    refused(standing, Rejected, "its signature is refused by a loopback root")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://pipelines.actions.githubusercontent.com/token"),
    ],
)
def test_a_loopback_root_has_no_place_in_production(
    standing: World, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """In a cluster, and in a workflow of GitHub's, a variable cannot replace the root of the policy."""
    monkeypatch.setenv(name, value)
    verifying._loopback.cache_clear()
    refused(standing, Rejected, "SLIPWAY_LOOPBACK_TRUST is set where real releases are made")


def policy(**lines: str | None) -> Spoil:
    """Change lines of the signing policy."""

    def spoil(root: Path, _version: str) -> None:
        path = root / verifying.POLICY
        said = files.parse_yaml(path.read_text(), "policy") | lines
        path.write_text(json.dumps({key: value for key, value in said.items() if value is not None}))

    return spoil


def test_the_policy_of_main_counts_whatever_the_clone_holds(standing: World) -> None:
    """Pushed by somebody else, and not fetched here: what it takes back is taken back."""
    elsewhere = standing.folder / "elsewhere"
    standing.git("clone", "-q", str(standing.origin), str(elsewhere), folder=standing.folder)
    push(standing, policy(runner="our-own"), folder=elsewhere)
    refused(standing, Rejected, "its runner is github-hosted, the policy asks for our-own")
    (standing.clone / verifying.POLICY).write_text("mine")
    push(standing, policy(runner=None), folder=elsewhere)
    refused(standing, Broken, "is no signing policy: Object missing required field `runner`")
    push(standing, lambda root, _version: (root / verifying.POLICY).unlink(missing_ok=True), folder=elsewhere)
    refused(standing, Broken, r"has no signing/policy\.yaml: nobody may sign")


def test_the_root_is_the_policys(standing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The public Sigstore has not signed this; and one of this machine is none that a policy may name."""
    monkeypatch.delenv(verifying.LOOPBACK)
    push(standing, policy(root="offline"))
    refused(standing, Rejected, "its signature is refused by the public Sigstore's root")
    trust = Path(signed.trusting()[verifying.LOOPBACK]).read_text()
    push(standing, lambda root, _version: (root / "signing/trust.json").write_text(trust))
    push(standing, policy(root="signing/trust.json"))
    refused(standing, Rejected, "signing/trust.json names this very machine as its Sigstore")
    push(standing, policy(root="signing/none.json"))
    refused(standing, Broken, "has no signing/none.json")


def test_an_emergency_does_not_hang_on_a_signature(standing: World) -> None:
    """What happened is recorded, and an abort brings stable back, also where nothing can be verified any more."""
    standing.release("1.3.0", supersede=True)
    aborted = standing.release("1.4.0", "staging")
    push(standing, lambda root, version: [which(root, version).unlink() for which in (statement, card)])
    push(standing, lambda root, _version: (root / verifying.POLICY).unlink(missing_ok=True))
    dark = {verifying.LOOPBACK: "none.json", "KUBERNETES_SERVICE_HOST": "10.96.0.1"}

    standing.ok("revert", "--digest", aborted, "-e", "staging", "--cause", "error", **dark)
    standing.ok("promote", "1.3.0", **dark)
    assert standing.state().stable.environments == {PRODUCTION: "1.3.0", "staging": ON}
