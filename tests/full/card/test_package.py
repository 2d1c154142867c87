"""`slipway package` writes the card, or says why there is none."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway import digests
from slipway.adapters import cyclonedx, files
from slipway.card import check
from slipway.errors import Rejected
from slipway.records import Metrics, Package

CARD, WORDS = "build/card.cdx.json", "bentos/flights/card.yaml"


@pytest.fixture
def repository(packaged: Any, tmp_path: Path) -> Any:
    """A copy of the packaged repository, to change; what was packaged is gone."""
    shutil.copytree(packaged.root, tmp_path / "elsewhere", symlinks=True)
    shutil.rmtree(tmp_path / "elsewhere/build")
    return replace(packaged, root=tmp_path / "elsewhere")


def test_it_is_the_card_of_what_was_packaged(packaged: Any) -> None:
    """It is valid, about this very package, and its numbers are those of metrics.json; its digest was said."""
    text = (packaged.root / CARD).read_text()
    cyclonedx.validate(text, CARD)
    card = check(json.loads(text), files.read_record(Package, packaged.root / "build/package.json"))
    metrics = files.read_record(Metrics, packaged.root / "artifacts/metrics.json")
    assert (card.overall, card.slices, card.test) == (metrics.overall, metrics.slices, metrics.test)
    assert f"card {digests.of_bytes(text.encode())}" in " ".join(packaged.said.split())


def test_the_same_commit_gives_the_same_bytes(packaged: Any, repository: Any) -> None:
    """In another folder, at another time, in another time zone, with another hash seed."""
    done = repository.command(
        "slipway", "package", "--version", "1.0.0", TZ="Asia/Tokyo", PYTHONHASHSEED="77", LC_ALL="C"
    )
    assert done.returncode == 0, done.stderr
    for name in (CARD, "build/package.json"):
        assert (repository.root / name).read_bytes() == (packaged.root / name).read_bytes()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing", "bentos/flights/card.yaml is missing: nobody says what the model is for"),
        ("unknown", "bentos/flights/card.yaml: Object contains unknown field `benefits`"),
        ("empty", "bentos/flights/card.yaml: Expected `array` of length >= 1 - at `$.limits`"),
    ],
)
def test_without_a_card_nothing_is_packaged(repository: Any, fault: str, said: str) -> None:
    """No words, a word too many, or a limit too few: exit code 1, and nothing is made."""
    path = repository.root / WORDS
    words = yaml.safe_load(path.read_text())
    changed = {"unknown": {"benefits": "many"}, "empty": {"limits": []}}
    path.write_text(yaml.safe_dump(words | changed.get(fault, {})))
    if fault == "missing":
        path.unlink()
    repository.commit(f"Make the words {fault}")
    done = repository.command("slipway", "package", "--version", "1.0.0")
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
    assert not (repository.root / "build/package.json").exists()


def test_a_card_that_is_not_valid_is_not_written(repository: Any) -> None:
    """A licence that nobody knows is named, and the card of an earlier package is not left for it."""
    path = repository.root / WORDS
    path.write_text(path.read_text().replace("licence: MIT", "licence: Mine"))
    files.write_text(repository.root / CARD, "of an earlier package")
    repository.commit("Change the licence")
    done = repository.command("slipway", "package", "--version", "1.0.0")
    assert done.returncode == 1
    named = "$.metadata.component.licenses[0].license.id: 'Mine' is not one of"
    assert named in " ".join(done.stderr.split())
    assert not (repository.root / CARD).exists()


@pytest.mark.parametrize(
    ("place", "new", "named"),
    [
        ((), "surprise", "$: Additional properties are not allowed ('surprise' was unexpected)"),
        (("metadata", "component", "modelCard"), "mood", "$.metadata.component.modelCard: Additional properties"),
        (("components", 0, "data", 0, "contents"), "rows", "$.components[0].data[0].contents: Additional properties"),
        (("metadata", "component", "hashes", 0), "content", "$.metadata.component.hashes[0].content: 'no'"),
    ],
)
def test_what_the_schema_does_not_know_is_named(packaged: Any, place: tuple[Any, ...], new: str, named: str) -> None:
    """A field too many, or a value that is none, at any depth."""
    document = json.loads((packaged.root / CARD).read_text())
    there = document
    for key in place:
        there = there[key]
    there[new] = "no"
    with pytest.raises(Rejected, match=r"it is no valid CycloneDX 1\.6") as refused:
        cyclonedx.validate(json.dumps(document), "it")
    assert named in refused.value.what


@pytest.mark.parametrize("text", ["", "{", '{"a": NaN', "[" * 100_000], ids=["nothing", "torn", "no number", "deep"])
def test_what_is_no_json_is_no_card(text: str) -> None:
    """It is refused, as no document is left to look at."""
    with pytest.raises(Rejected, match="it is no"):
        cyclonedx.validate(text, "it")
