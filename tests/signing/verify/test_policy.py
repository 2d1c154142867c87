"""`slipway verify` says yes to one bundle, and no, by name, to all others: each is really signed, with other claims."""

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.conftest import IDENTITY, NAME, REPOSITORY, ROOT, Project
from tests.signing import hand as hands
from tests.signing.hand import Hand, trust
from tests.signing.instance import Instance, started

from slipway import attestation, digests, signing
from slipway.adapters import files, sigstore
from slipway.attestation import Resource, Statement
from slipway.commands import verifying
from slipway.errors import Broken, Rejected
from slipway.signing import Policy

POLICY = (ROOT / verifying.POLICY).read_text()
HOME = "https://github.com/"
OTHER_ISSUER = "https://gitlab.com"
OTHER = "sha256:" + 64 * "d"
ISSUING = (
    "import sys; from slipway.services.loopback_sigstore import __main__, tokens;"
    f"tokens.ISSUER = tokens.DEFAULTS['iss'] = {OTHER_ISSUER!r}; __main__.main()"
)
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def _untrusting(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """No loopback root in the environment, which would stand in for the policy's."""
    monkeypatch.delenv(verifying.LOOPBACK)


def refused(hand: Hand) -> str:
    """Why what is at hand is refused."""
    with pytest.raises(Rejected) as caught:
        hand.verify()
    return caught.value.what


def bundle(hand: Hand) -> dict[str, Any]:
    """The bundle at hand, parsed."""
    found: dict[str, Any] = json.loads((hand.root / verifying.SIGNED).read_text())
    return found


def sign_other(hand: Hand, instance: Instance, change: Callable[[Statement], Statement]) -> None:
    """Sign another statement in the run that may sign."""
    token = instance.token(sha=hand.commit)
    said = change(hand.statement(sigstore.run_of(token)))
    hand.put(hands.sign(instance, attestation.write(said), token=token))


def sign_raw(hand: Hand, instance: Instance, change: Change) -> None:
    """The same, where the statement is changed as JSON."""
    token = instance.token(sha=hand.commit)
    said = json.loads(attestation.write(hand.statement(sigstore.run_of(token))))
    change(said)
    hand.put(hands.sign(instance, json.dumps(said).encode(), token=token))


@pytest.mark.parametrize("rekor", ["v1", "v2"])
def test_the_good_bundle_is_accepted(
    hand: Hand, instance: Instance, older: Instance, rekor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process says yes, and who has signed; of the signer it has the path of the trust file, and no more."""
    chosen = {"v1": older, "v2": instance}[rekor]
    hand.put(hand.sign(chosen))
    monkeypatch.delenv(verifying.LOOPBACK)
    project = Project(hand.root)
    done = project.command("slipway", "verify", "--json", PYTHONPATH="", **{verifying.LOOPBACK: str(chosen.trust)})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["signer"]["signer"] == f"{REPOSITORY}/.github/workflows/release.yml@refs/heads/main"
    assert told["signer"]["commit"] == hand.commit
    assert set(told["subjects"]) == {"image", "bento", "model.onnx", "card.cdx.json"}
    assert "loopback root" in told["root"]


FLIPPED = {  # field of the policy -> another value, and what the refusal names
    "schema_version": (2, None),
    "root": ("offline", "refused by the public Sigstore's root"),
    "issuer": ("https://token.example.com", "its issuer is https://token.actions"),
    "repository": (f"{HOME}example/other", "its repository is"),
    "workflow": (".github/workflows/other.yml", "its signer is"),
    "ref": ("refs/heads/other", "refs/heads/main, the policy asks for"),
    "triggers": (["workflow_dispatch"], "its trigger is push, the policy asks for workflow_dispatch"),
    "runner": ("self-hosted", "its runner is github-hosted, the policy asks for self-hosted"),
    "predicate_types": (["https://spdx.dev/Document"], "the predicate type is https://slsa.dev/provenance/v1"),
}


def test_every_field_of_the_policy_has_its_case() -> None:
    """A field that is added to the policy fails here until somebody says what it refuses."""
    assert list(FLIPPED) == [field.name for field in msgspec.structs.fields(Policy)]
    assert list(FLIPPED) == list(yaml.safe_load(POLICY))


@pytest.mark.parametrize("field", FLIPPED)
def test_a_field_of_the_policy_that_says_otherwise_refuses_the_good_bundle(
    hand: Hand, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bundle, another policy: refused by the fact that it names."""
    assert hand.verify().package == hand.package
    value, fact = FLIPPED[field]
    if field == "root":  # a loopback root in the environment stands in for the policy's
        monkeypatch.delenv(verifying.LOOPBACK)
    hand.allow(yaml.safe_dump(yaml.safe_load(POLICY) | {field: value}))
    if fact is None:
        with pytest.raises(Broken, match=field):
            hand.verify()
    else:
        assert fact in refused(hand)


@pytest.mark.parametrize("field", FLIPPED)
@pytest.mark.parametrize("value", [None, [], {}, "", "x y", float("nan")], ids=repr)
def test_a_malformed_policy_is_no_answer(field: str, value: object) -> None:
    """A value that is none, a missing and an unknown key: exit code 2, naming the file."""
    good = yaml.safe_load(POLICY)
    for raw in ({**good, field: value}, {key: good[key] for key in good if key != field}, {**good, f"{field}s_": 1}):
        if (field, value) in [("runner", "x y"), ("root", "x y"), ("root", "")] and raw.get(field) == value:
            continue  # a text is a text; that there is no such root is found when it is read
        with pytest.raises(Broken, match="no signing policy"):
            signing.parse(raw, "policy.yaml")


@pytest.mark.parametrize(
    ("root", "error", "fact"),
    [
        ("signing/missing.json", Broken, "has no signing/missing.json"),
        ("signing/policy.yaml", Broken, "no JSON"),
        ("signing/root.json", Rejected, "names this very machine"),
    ],
)
@pytest.mark.usefixtures("_untrusting")
def test_a_root_that_proves_nothing(
    hand: Hand, instance: Instance, root: str, error: type[Exception], fact: str
) -> None:
    """The policy names a root that is not there, is none, or is of this machine."""
    shutil.copy(instance.trust, hand.root / "signing/root.json")
    hands.git(hand.root, "add", "signing/root.json")
    hand.allow(yaml.safe_dump(yaml.safe_load(POLICY) | {"root": root}))
    with pytest.raises(error, match=fact):
        hand.verify()


@pytest.mark.parametrize(
    ("text", "error", "fact"),
    [
        ("{", Broken, "no JSON"),
        ("[" * 100_000, Broken, "no JSON"),
        ("{}", Rejected, "names a Sigstore of another machine"),
        ('{"url": "http://[::1"}', Rejected, "names a Sigstore of another machine"),
        ('{"url": "https://fulcio.sigstore.dev"}', Rejected, "names a Sigstore of another machine"),
        ('{"url": "http://127.0.0.1"}', Broken, "is no client trust config"),
    ],
)
def test_a_trust_file_that_is_none(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, text: str, error: type[Exception], fact: str
) -> None:
    """What the environment names as loopback root must be one."""
    (hand.root / "trust.json").write_text(text)
    monkeypatch.setenv(verifying.LOOPBACK, str(hand.root / "trust.json"))
    with pytest.raises(error, match=fact):
        hand.verify()


def test_a_trust_file_without_a_log_is_no_answer(
    hand: Hand, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take nothing, and every signature would seem to be at fault."""
    config = json.loads(instance.trust.read_text())
    config["trustedRoot"]["tlogs"] = []
    (hand.root / "trust.json").write_text(json.dumps(config))
    monkeypatch.setenv(verifying.LOOPBACK, str(hand.root / "trust.json"))
    with pytest.raises(Broken, match="no client trust config"):
        hand.verify()


WORKFLOWS = f"{NAME}/.github/workflows"
RELEASE, ELSEWHERE = f"{WORKFLOWS}/release.yml@refs/heads/main", f"{WORKFLOWS}/nightly.yml@refs/heads/main"
RUNS = {  # what the run claims -> what the refusal names
    "other workflow": ({"workflow_ref": ELSEWHERE}, "its signer is"),
    "branch": ({"ref": "refs/heads/feature"}, "refs/heads/feature, the policy asks for"),
    "tag": ({"ref": "refs/tags/v1.0.0"}, "refs/tags/v1.0.0, the policy asks for"),
    "ref alone": ({"ref": "refs/heads/feature", "workflow_ref": RELEASE}, "its ref is refs/heads/feature"),
    "repository": ({"repository": "example/other"}, f"its repository is {HOME}example/other"),
    "fork": ({"repository": "mallory/slipway"}, f"its repository is {HOME}mallory/slipway"),
    "fork, our workflow": ({"repository": "mallory/slipway", "workflow_ref": RELEASE}, "its repository is"),
    "pull request": ({"event_name": "pull_request"}, "its trigger is pull_request"),
    "pull request target": ({"event_name": "pull_request_target"}, "its trigger is pull_request_target"),
    "workflow run": ({"event_name": "workflow_run"}, "its trigger is workflow_run"),
    "runner": ({"runner_environment": "self-hosted"}, "its runner is self-hosted"),
    "reusable, ours": ({"job_workflow_ref": RELEASE, "workflow_ref": ELSEWHERE}, "its workflow is"),
    "reusable, theirs": ({"job_workflow_ref": "mallory/x/.github/workflows/y.yml@refs/heads/main"}, "its signer is"),
    "commit": ({"sha": "e" * 40}, "source commit"),
}


@pytest.mark.parametrize("name", RUNS)
def test_another_run_is_refused(hand: Hand, instance: Instance, name: str) -> None:
    """Everything agrees with everything else, but the run is not one that may sign, or not for this commit."""
    claims, fact = RUNS[name]
    hand.put(hand.sign(instance, **claims))
    assert fact in refused(hand)


def test_another_issuer_is_refused(hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same claims by another platform."""
    from tests.signing import instance as instances

    monkeypatch.setattr(instances, "command", lambda folder: [sys.executable, "-c", ISSUING, "--folder", str(folder)])
    with started(tmp_path / "issuer") as other:
        trust(other, monkeypatch)
        hand.put(hand.sign(other))
    assert f"its issuer is {OTHER_ISSUER}" in refused(hand)


def test_slipway_sign_refuses_what_would_be_refused(hand: Hand, instance: Instance) -> None:
    """Nothing of a run that may not sign reaches the log."""
    variables = instance.environment(sha=hand.commit, event_name="pull_request")
    before = (instance.folder / "rekor.log").read_bytes()
    done = Project(hand.root).command("slipway", "sign", **IDENTITY, **variables)
    assert done.returncode == 1
    assert "its trigger is pull_request" in " ".join(done.stderr.split())
    assert (instance.folder / "rekor.log").read_bytes() == before


def _definition(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = said["predicate"]["buildDefinition"]
    return found


def _lineage(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _definition(said)["internalParameters"]["slipway"]
    return found


def _set(target: Callable[[dict[str, Any]], Any], key: Any, value: object) -> Change:
    return lambda said: target(said).__setitem__(key, value)


def _workflow(said: dict[str, Any]) -> Any:
    return _definition(said)["externalParameters"]["workflow"]


def _github(said: dict[str, Any]) -> Any:
    return _definition(said)["internalParameters"]["github"]


def _sources(said: dict[str, Any]) -> Any:
    return _definition(said)["resolvedDependencies"]


LIES = {
    "workflow.ref": (_set(_workflow, "ref", "refs/heads/x"), "workflow is"),
    "workflow.repository": (_set(_workflow, "repository", f"{HOME}x/y"), "workflow is"),
    "workflow.path": (_set(_workflow, "path", "x.yml"), "workflow is"),
    "github.event_name": (_set(_github, "event_name", "schedule"), "github is"),
    "github.repository_id": (_set(_github, "repository_id", "77"), "github is"),
    "github.repository_owner_id": (_set(_github, "repository_owner_id", "77"), "github is"),
    "github.runner_environment": (_set(_github, "runner_environment", "self-hosted"), "github is"),
    "source.uri": (_set(lambda said: _sources(said)[0], "uri", "git+https://x/y@refs/heads/main"), "source is"),
    "source.commit": (_set(lambda said: _sources(said)[0], "digest", {"gitCommit": "e" * 40}), "source is"),
    "source missing": (lambda said: _sources(said).clear(), "source is"),
    "builder": (_set(lambda said: said["predicate"]["runDetails"]["builder"], "id", "me"), "builder is me"),
    "invocation": (
        _set(lambda said: said["predicate"]["runDetails"]["metadata"], "invocationId", "mine"),
        "invocation is mine",
    ),
    "source commit": (
        _set(lambda said: _lineage(said)["package"]["bundle"], "source_commit", "e" * 40),
        f"source commit is {'e' * 40}",
    ),
    "package": (_set(lambda said: _lineage(said)["package"]["bundle"], "request_version", 99), "recorded otherwise"),
    "gate's model": (_set(lambda said: _lineage(said)["gate"], "model_digest", OTHER), "model of the gate is"),
    "gate said no": (_set(lambda said: _lineage(said)["gate"], "accepted", False), "gate has rejected"),
    "metrics' model": (_set(lambda said: _lineage(said)["metrics"], "model_digest", OTHER), "model of the metrics"),
    "parent": (_set(_lineage, "parent_model", OTHER), "parent model is"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_statement_that_lies_about_its_run_is_refused(hand: Hand, instance: Instance, name: str) -> None:
    """The run may sign; what it says of itself is not what its certificate says, or not twice the same."""
    change, fact = LIES[name]
    sign_raw(hand, instance, change)
    assert fact in refused(hand)


def test_an_honest_statement_signed_as_json_is_accepted(hand: Hand, instance: Instance) -> None:
    """The control of the lies: nothing changed, another spelling."""
    sign_raw(hand, instance, lambda said: said)
    assert hand.verify().package == hand.package


NAMES = ("image", "bento", "model.onnx", "card.cdx.json")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["other", "missing", "doubled", "second digest", "renamed"])
def test_a_statement_about_other_things_is_refused(hand: Hand, instance: Instance, name: str, how: str) -> None:
    """Each of the four is there once, with its digest alone."""

    def change(said: Statement) -> Statement:
        others = tuple(one for one in said.subject if one.name != name)
        (good,) = (one for one in said.subject if one.name == name)
        digest = good.digest["sha256"]
        subject = {
            "other": (*others, attestation.resource(name, OTHER)),
            "missing": others,
            "doubled": (attestation.resource(name, OTHER), *others, good),
            "second digest": (*others, Resource(name=name, digest={"sha256": digest, "sha512": 64 * "e"})),
            "renamed": (*others, attestation.resource(f"{name} ", digest)),
        }[how]
        return msgspec.structs.replace(said, subject=subject)

    sign_other(hand, instance, change)
    assert f"the {name} is sha256:" in refused(hand)


@pytest.mark.parametrize("name", ["weights.bin", None, ""])
def test_a_statement_about_more_is_refused(hand: Hand, instance: Instance, name: str | None) -> None:
    """One thing more, with or without a name."""
    more = Resource(name=name, digest={"sha256": 64 * "d"})
    sign_other(hand, instance, lambda said: msgspec.structs.replace(said, subject=(*said.subject, more)))
    assert "something else, too" in refused(hand)


def test_the_signature_of_another_package_is_refused(hand: Hand, instance: Instance) -> None:
    """The statement is in order, and about another package of the same commit."""
    other = msgspec.structs.replace(hand.package, image_digest=OTHER)
    hand.put(replace(hand, package=other).sign(instance))
    assert "the image is sha256:" in refused(hand)


@pytest.mark.parametrize("document", [b"[]", b"{}", b"no JSON", b"[" * 100_000, b'{"bomFormat": "CycloneDX"}'])
def test_a_card_that_is_none_is_refused(hand: Hand, instance: Instance, document: bytes) -> None:
    """Though it was signed."""
    (hand.root / verifying.CARD).write_bytes(document)
    hand.put(replace(hand, card=document.decode()).sign(instance))
    assert "card" in refused(hand)


def test_another_card_is_refused(hand: Hand) -> None:
    """One letter of it."""
    path = hand.root / verifying.CARD
    path.write_text(path.read_text().replace("flights", "flighTs", 1))
    assert "the card.cdx.json is sha256:" in refused(hand)


GOOD = b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1"'
PAYLOADS = {
    "nothing": (b"", "no statement"),
    "no JSON": (b"hello", "no statement"),
    "a list": (b"[]", "no statement"),
    "a number": (b"1", "no statement"),
    "no UTF-8": (b'{"predicateType": "\xff"}', "no statement"),
    "UTF-16": ('{"predicateType": "https://slsa.dev/provenance/v1"}'.encode("utf-16"), "the statement is not"),
    "deep": (b'{"a":' * 50_000, "no statement"),
    "deep, below its type": (GOOD + b', "predicate": ' + b"[" * 900 + b"]" * 900 + b"}", "the statement is not"),
    "no type": (b"{}", "predicateType"),
    "odd type": (b'{"predicateType": {"a": 1}}', "the predicate type is"),
    "other type": (b'{"predicateType": "https://slsa.dev/provenance/v0.2"}', "the predicate type is https://slsa.dev"),
    "no predicate": (GOOD + b', "subject": []}', "the statement is not"),
    "other statement": (GOOD.replace(b"Statement/v1", b"Statement/v0.1") + b"}", "the statement is not"),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_what_is_no_statement_is_refused(hand: Hand, instance: Instance, name: str) -> None:
    """Signed by who may sign, and still nothing that can be read."""
    payload, fact = PAYLOADS[name]
    hand.put(hands.sign(instance, payload, sha=hand.commit))
    assert fact in refused(hand)


def test_another_type_of_payload_is_refused(hand: Hand, instance: Instance) -> None:
    """The right statement, signed as something else."""
    token = instance.token(sha=hand.commit)
    payload = attestation.write(hand.statement(sigstore.run_of(token)))
    hand.put(hands.sign(instance, payload, kind="application/json", token=token))
    assert "what was signed is 'application/json', no in-toto statement" in refused(hand)


@pytest.mark.parametrize(
    ("before", "after", "fact"),
    [
        ('"predicateType"', '"surprise": 1, "predicateType"', "surprise"),
        ('"executable"', '"mode": 7, "executable"', "mode"),
        ('"latency_ms": 1.5', '"latency_ms": NaN', "the statement is not"),
        ('"latency_ms": 1.5', '"latency_ms": 1e999', "the statement is not"),
        ('"latency_ms": 1.5', '"latency_ms": null', "latency_ms"),
        ('"latency_ms": 1.5', '"latency_ms": 1.5, "latency_ms": 9.5', "a key stands in it twice"),
        ('"predicateType"', '"predicateType": "x", "predicateType"', "a key stands in it twice"),
    ],
)
def test_a_statement_with_surprises_is_refused(
    hand: Hand, instance: Instance, before: str, after: str, fact: str
) -> None:
    """Unknown fields, numbers that are none, keys that stand twice."""
    token = instance.token(sha=hand.commit)
    said = attestation.write(hand.statement(sigstore.run_of(token))).decode()
    assert before in said
    hand.put(hands.sign(instance, said.replace(before, after, 1).encode(), token=token))
    assert fact in refused(hand)


def _entry(found: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = found["verificationMaterial"]["tlogEntries"][0]
    return entry


def _stamps(found: dict[str, Any]) -> list[dict[str, Any]]:
    stamps: list[dict[str, Any]] = found["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    return stamps


def _rename_log(found: dict[str, Any]) -> None:
    checkpoint = _entry(found)["inclusionProof"]["checkpoint"]
    note, _, signature = checkpoint["envelope"].rpartition("127.0.0.1/rekor")
    checkpoint["envelope"] = f"{note}log.example.com{signature}"


CHANGED: dict[str, tuple[Change, str]] = {
    "no entry": (_set(lambda found: found["verificationMaterial"], "tlogEntries", []), "exactly one log entry"),
    "two entries": (
        lambda found: found["verificationMaterial"]["tlogEntries"].append(_entry(found)),
        "exactly one log entry",
    ),
    "no proof": (lambda found: _entry(found).pop("inclusionProof"), "inclusion"),
    "no checkpoint": (lambda found: _entry(found)["inclusionProof"].pop("checkpoint"), "checkpoint"),
    "no stamp": (lambda found: _stamps(found).clear(), "signed timestamp"),
    "no stamps": (lambda found: found["verificationMaterial"].pop("timestampVerificationData"), "signed timestamp"),
    "no certificate": (lambda found: found["verificationMaterial"].pop("certificate"), "certificate"),
    "no envelope": (lambda found: found.pop("dsseEnvelope"), "refused"),
    "place in the log": (_set(_entry, "logIndex", "999"), "has not signed"),
    "time of the log": (_set(_entry, "integratedTime", "1700000000"), "has not signed"),
    "a promise": (_set(_entry, "inclusionPromise", {"signedEntryTimestamp": "AAAA"}), "has not signed"),
    "another log": (_set(_entry, "logId", {"keyId": "AAAA" * 10}), "Signature not found for log ID"),
    "log of another name": (_rename_log, "in the name of another log"),
    "unknown field": (_set(lambda found: found, "surprise", 1), "surprise"),
    "another signature": (
        lambda found: found["dsseEnvelope"]["signatures"].append(found["dsseEnvelope"]["signatures"][0]),
        "exactly one signature",
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_bundle_is_refused(hand: Hand, name: str) -> None:
    """What proves it is taken away, doubled, or says more than was signed."""
    change, fact = CHANGED[name]
    found = bundle(hand)
    change(found)
    hand.put(json.dumps(found))
    assert fact in refused(hand)


@pytest.mark.parametrize("name", ["inclusionPromise", "integratedTime", "logIndex"])
def test_a_changed_entry_of_rekor_v1_is_refused(
    hand: Hand, older: Instance, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log's promise says when the certificate was used; without it nothing does."""
    trust(older, monkeypatch)
    hand.put(hand.sign(older))
    assert hand.verify()
    found = bundle(hand)
    if name == "inclusionPromise":
        del _entry(found)[name]
    else:
        _entry(found)[name] = str(int(_entry(found)[name]) + 1)
    hand.put(json.dumps(found))
    assert "its signature is refused" in refused(hand)


def test_the_entry_of_another_signature_is_refused(hand: Hand, instance: Instance) -> None:
    """A log entry in order, of the same statement signed again."""
    first = bundle(hand)
    hand.put(hand.sign(instance))
    found = bundle(hand)
    found["verificationMaterial"]["tlogEntries"] = first["verificationMaterial"]["tlogEntries"]
    hand.put(json.dumps(found))
    assert "log entry is inconsistent" in refused(hand)


def test_a_stamp_that_nobody_trusts_says_no_time(hand: Hand, instance: Instance, tmp_path: Path) -> None:
    """A stamp of another authority, however early, neither proves anything nor dates the signature."""
    with started(tmp_path / "another") as another:
        theirs = _stamps(json.loads(hand.sign(another)))
    time.sleep(1.1)  # times are whole seconds
    hand.put(hand.sign(instance))
    good, found = hand.verify(), bundle(hand)
    _stamps(found)[:] = [*theirs, *_stamps(found)]
    hand.put(json.dumps(found))
    assert hand.verify().signed == good.signed
    _stamps(found)[:] = theirs
    hand.put(json.dumps(found))
    assert "not enough sources of verified time" in refused(hand)


@pytest.mark.parametrize("rekor", ["1", "2"])
def test_a_certificate_that_was_over_is_refused(
    hand: Hand, tmp_path: Path, rekor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logged and stamped after it had expired."""
    from sigstore.dsse import Statement as Made

    with started(tmp_path / "short", "--rekor", rekor, "--certificate-seconds", "4") as short:
        trust(short, monkeypatch)
        said = hand.statement(sigstore.run_of(short.token(sha=hand.commit)))
        hand.put(json.dumps(short.sign_late(Made(attestation.write(said)), sha=hand.commit)))
    assert "certificate" in refused(hand)


def test_a_certificate_is_good_after_it_is_over(hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is when it was used: ten minutes later the same bundle must still be accepted."""
    with started(tmp_path / "short", "--certificate-seconds", "4") as short:
        trust(short, monkeypatch)
        hand.put(hand.sign(short))
    time.sleep(5)
    assert hand.verify().package == hand.package


def test_the_bundle_of_another_instance_is_refused(hand: Hand, older: Instance) -> None:
    """Every claim as the policy asks, by a Sigstore that nobody trusts."""
    hand.put(hand.sign(older))
    assert "its signature is refused by a loopback root" in refused(hand)


NO_BUNDLES = {
    "nothing": b"",
    "no JSON": b"hello",
    "no text": bytes(range(256)),
    "a list": b"[]",
    "null": b"null",
    "huge": b'{"mediaType": "' + b"a" * 50_000_000 + b'"}',
    "huge list": b"[" + b"1," * 5_000_000 + b"1]",
    "deep": b"[" * 200_000,
    "deep object": b'{"a":' * 200_000,
}


@pytest.mark.parametrize("name", NO_BUNDLES)
def test_what_is_no_bundle_is_refused(hand: Hand, name: str) -> None:
    """In one short line."""
    (hand.root / verifying.SIGNED).write_bytes(NO_BUNDLES[name])
    said = refused(hand)
    assert "its signature is refused" in said
    assert len(said) < 600


def test_a_key_that_stands_twice_is_refused(hand: Hand) -> None:
    """One reader would take the first, another the last."""
    text = (hand.root / verifying.SIGNED).read_text()
    hand.put(text.replace('"payloadType":', '"payloadType": "text/plain", "payloadType":', 1))
    assert "a key stands in it twice" in refused(hand)


def test_what_is_not_signed_is_refused(hand: Hand) -> None:
    """No file, no signature."""
    (hand.root / verifying.SIGNED).unlink()
    assert "is not signed" in refused(hand)


def test_nothing_packaged_is_no_answer(hand: Hand) -> None:
    """Neither yes nor no."""
    (hand.root / "build/package.json").unlink()
    with pytest.raises(Broken, match=r"package\.json"):
        hand.verify()


def test_another_image_is_refused(hand: Hand) -> None:
    """The layout at hand is in order, and not the one that was signed."""
    record = msgspec.structs.replace(hand.package.bundle, version=hands.VERSION, data_digest=OTHER)
    text = (hand.root / "build/package.json").read_text()
    bento = hand.root / "kept"
    shutil.copytree(hand.bento, bento)
    hands.packaging.build(hand.root, record)
    shutil.rmtree(hand.bento)
    bento.rename(hand.bento)
    files.write_text(hand.root / "build/package.json", text)
    assert "the image at hand is sha256:" in refused(hand)


def test_digests_of_subjects_are_of_the_bytes(hand: Hand) -> None:
    """The statement is about what is on the disk: card and model hash to what was signed."""
    signed = {one.name: f"sha256:{one.digest['sha256']}" for one in hand.verify().statement.subject}
    assert signed["card.cdx.json"] == digests.of_bytes((hand.root / verifying.CARD).read_bytes())
    assert signed["model.onnx"] == digests.of_bytes(next(hand.bento.rglob("model.onnx")).read_bytes())
