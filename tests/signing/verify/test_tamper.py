"""Every change of a signed model, of its bento and of the signature is refused, and the refusal names the file."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from tests.signing.hand import Hand, trust
from tests.signing.instance import Instance

from slipway import attestation, digests
from slipway.adapters import sigstore, tree
from slipway.attestation import Statement
from slipway.commands import verifying
from slipway.errors import Rejected

MODEL = "src/model/model.onnx"
POSITIONS, EDGE = 1000, 256
EVERY = 7  # of a bundle's bytes
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types of protobuf
GRAPH = 7  # field of a ModelProto


@pytest.fixture
def model(hand: Hand) -> Path:
    """The model in the bento."""
    return hand.bento / MODEL


def refused(hand: Hand) -> str:
    """Why what is at hand is refused."""
    with pytest.raises(Rejected) as caught:
        hand.verify()
    return caught.value.what


def require_refused(said: Statement, bento: Path) -> str:
    """Hold a bento against a statement that was verified already, as `built` does: without its signature again."""
    with pytest.raises(Rejected) as caught:
        verifying.require_bento(said, bento)
    return caught.value.what


def flip(path: Path, positions: Iterator[int]) -> Iterator[int]:
    """Change one byte after the other, each put back when the next one is asked for."""
    good = path.read_bytes()
    with path.open("r+b", buffering=0) as stream:
        for position in positions:
            os.pwrite(stream.fileno(), bytes([good[position] ^ 1 << position % 8]), position)
            yield position
            os.pwrite(stream.fileno(), good[position : position + 1], position)
    assert path.read_bytes() == good


def structural(content: bytes, start: int, end: int, deeper: tuple[int, ...] = (GRAPH,)) -> Iterator[int]:
    """Positions of every tag and length of a protobuf message, and of the message in the field `deeper`."""
    at = start
    while at < end:
        begin = at
        tag, at = _varint(content, at)
        kind, field = tag & 7, tag >> 3
        if kind == VARINT:
            yield from range(begin, at)
            _, at = _varint(content, at)
        elif kind == LENGTH:
            size, at = _varint(content, at)
            yield from range(begin, at)
            if field in deeper[:1]:
                yield from structural(content, at, at + size, deeper[1:])
            at += size
        else:
            yield from range(begin, at)
            at += {FIXED64: 8, FIXED32: 4}[kind]
    assert at == end


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if not byte & 128:
            return value, at


def test_the_bento_at_hand_is_the_signed_one(hand: Hand, model: Path) -> None:
    """The control: nothing is changed, and the model is where the tests look for it."""
    said = hand.verify().statement
    assert said.lineage.bento[MODEL].digest == digests.of_bytes(model.read_bytes()) == hand.package.bundle.model_digest
    verifying.require_bento(said, hand.bento)


def test_a_changed_byte_of_the_model_is_refused(hand: Hand, model: Path) -> None:
    """A thousand places, both ends, and every byte that says what is where: top level and graph."""
    said, content = hand.verify().statement, model.read_bytes()
    small = hand.bento.parent / "small"  # the model alone: what else is in the bento takes its time
    shutil.copytree(model.parent, small / "src/model")
    alone = {name: file for name, file in said.lineage.bento.items() if name.startswith("src/model/")}
    told = _about(said, alone)
    verifying.require_bento(_sized(told, small), small)
    places = {
        *range(0, len(content), max(1, len(content) // POSITIONS)),
        *range(EDGE),
        *range(len(content) - EDGE, len(content)),
        *structural(content, 0, len(content)),
    }
    assert len(places) > POSITIONS
    for _ in flip(small / MODEL, iter(sorted(places))):
        assert f"{MODEL} was changed" in require_refused(told, small)
    for _ in flip(model, iter([0, len(content) // 2, len(content) - 1])):
        assert f"{MODEL} was changed" in refused(hand)


def test_every_byte_of_a_small_model_is_bound(hand: Hand, instance: Instance, tmp_path: Path) -> None:
    """A model of 2 kB: not one byte of it can change, come or go."""
    (tmp_path / "bento").mkdir()
    path = tmp_path / "bento/model.onnx"
    path.write_bytes(_small_model())
    bento = digests.of_tree(tree.read(tmp_path / "bento"))
    token = instance.token(sha=hand.commit)
    made = replace(hand, package=msgspec.structs.replace(hand.package, bento_digest=bento))
    said = _about(made.statement(sigstore.run_of(token)), dict(verifying.extract(tmp_path / "bento")))
    verifying.require_bento(said, tmp_path / "bento")
    good = path.read_bytes()
    assert 2000 < len(good) < 2200
    for _ in flip(path, iter(range(len(good)))):
        assert "model.onnx was changed" in require_refused(said, tmp_path / "bento")
    for changed in (good[:-1], good + b"\0", b"", good * 2):
        path.write_bytes(changed)
        assert "model.onnx was changed" in require_refused(said, tmp_path / "bento")


def _small_model() -> bytes:
    from onnx import TensorProto, helper

    shape = [480]
    value = helper.make_tensor("w", TensorProto.FLOAT, shape, [number / 7 for number in range(480)])
    inputs, outputs = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "small", [inputs], [outputs], [value])
    made: bytes = helper.make_model(graph).SerializeToString()
    return made


def _about(said: Statement, files: dict[str, attestation.File]) -> Statement:
    """The same statement about other files."""
    document = json.loads(attestation.write(said))
    lineage = document["predicate"]["buildDefinition"]["internalParameters"]["slipway"]
    lineage["bento"] = msgspec.to_builtins(files)
    return msgspec.json.decode(json.dumps(document), type=Statement)


def _sized(said: Statement, bento: Path) -> Statement:
    """The same statement with the digest of another bento."""
    document = json.loads(attestation.write(said))
    lineage = document["predicate"]["buildDefinition"]["internalParameters"]["slipway"]
    lineage["package"]["bento_digest"] = digests.of_tree(tree.read(bento))
    return msgspec.json.decode(json.dumps(document), type=Statement)


CHANGES = {
    "added": (lambda model: model.with_name("extra.py").write_text("print()"), "src/model/extra.py was added"),
    "added, hidden": (lambda model: model.with_name(".env").write_text(""), "src/model/.env was added"),
    "added, odd name": (lambda model: model.with_name("a\nb").write_text(""), r"'src/model/a\nb' was added"),
    "removed": (lambda model: model.unlink(), f"{MODEL} was removed"),
    "renamed": (lambda model: model.rename(model.with_name("model2.onnx")), "src/model/model2.onnx was added"),
    "renamed, case": (lambda model: model.rename(model.with_name("Model.onnx")), f"{MODEL} was removed"),
    "executable": (lambda model: model.chmod(0o755), f"{MODEL} was made executable"),
    "emptied": (lambda model: model.write_bytes(b""), f"{MODEL} was changed"),
    "link": (
        lambda model: _link(model, model.rename(model.parents[4] / "elsewhere")),
        "model.onnx is not a regular file",
    ),
    "dangling link": (lambda model: (model.unlink(), model.symlink_to("nowhere")), "model.onnx is not a regular file"),
    "pipe": (lambda model: (model.unlink(), os.mkfifo(model)), "model.onnx is not a regular file"),
    "folder of its name": (lambda model: (model.unlink(), model.mkdir()), "model.onnx holds no file"),
    "empty folder": (lambda model: (model.parent / "empty").mkdir(), "empty holds no file"),
    "linked folder": (lambda model: (model.parent / "more").symlink_to("/etc"), "more is not a regular file"),
}


def _link(model: Path, target: Path) -> None:
    model.symlink_to(target)


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_bento_is_refused(hand: Hand, model: Path, name: str) -> None:
    """By the name of the file, with exit code 1."""
    change, fact = CHANGES[name]
    assert hand.verify()
    change(model)
    assert fact in refused(hand)


def test_every_file_of_the_bento_is_bound(hand: Hand) -> None:
    """Whatever it is: its content, its executable bit, that it is there."""
    said = hand.verify().statement
    assert len(said.lineage.bento) > 10
    for name in said.lineage.bento:
        path = hand.bento / name
        good, mode = path.read_bytes(), path.stat().st_mode
        path.write_bytes(good + b" ")
        assert f"{name} was changed" in require_refused(said, hand.bento)
        path.write_bytes(good)
        path.chmod(mode ^ 0o100)
        assert f"{name} " in require_refused(said, hand.bento)
        path.chmod(mode)
        path.rename(hand.root / "kept")
        assert f"{name} was removed" in require_refused(said, hand.bento) or path.parent.name in name
        (hand.root / "kept").rename(path)
    verifying.require_bento(said, hand.bento)


def _free(bundle: str) -> set[int]:
    """Positions that no signature covers and no reader reads: of a time stamp's DER."""
    stamps = (
        json.loads(bundle)["verificationMaterial"].get("timestampVerificationData", {}).get("rfc3161Timestamps", [])
    )
    starts = [(bundle.index(stamp["signedTimestamp"]), len(stamp["signedTimestamp"])) for stamp in stamps]
    return set(chain.from_iterable(range(start, start + size) for start, size in starts))


@pytest.mark.parametrize("rekor", ["v1", "v2"])
def test_a_changed_byte_of_the_bundle_is_refused(
    hand: Hand, instance: Instance, older: Instance, rekor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, or it is the same JSON; but for the padding of a time stamp's DER, where what is read stays the same."""
    chosen = {"v1": older, "v2": instance}[rekor]
    trust(chosen, monkeypatch)
    text = hand.sign(chosen)
    hand.put(text)
    good, parsed, free = hand.verify(), json.loads(text), _free(text)
    believed = sigstore.trust(chosen.trust.read_text(), "the tests' Sigstore")
    content, accepted = text.encode(), []
    for position in range(0, len(content), EVERY):
        changed = content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :]
        try:
            found = sigstore.verify(changed.decode(errors="replace"), believed)
        except Rejected:
            continue
        assert found == good.signed
        if json.loads(changed) != parsed:
            accepted.append(len(changed[:position].decode()))
    assert set(accepted) <= free
    assert len(accepted) <= len(free) / EVERY / 10


def test_another_spelling_of_the_bundle_is_the_same_bundle(hand: Hand) -> None:
    """Whitespace and order mean nothing in JSON."""
    path = hand.root / verifying.SIGNED
    good = hand.verify()
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4, sort_keys=True))
    assert hand.verify().signed == good.signed
