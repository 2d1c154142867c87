"""What a release made anew is held against."""

from typing import Any

from slipway import rebuilt
from slipway.records import Bundle, Package


def package(**changes: str) -> Package:
    """A package whose digests are told apart by their letter."""
    digests = {
        name: f"sha256:{64 * letter}"
        for name, letter in {"recipe": "a", "model": "b", "bento": "c", "image": "d"}.items()
    }
    digests |= changes
    bundle = Bundle(
        version="1.0.0",
        source_commit=40 * "0",
        data_digest="md5:e.dir",
        recipe_digest=digests["recipe"],
        model_digest=digests["model"],
        request_version=1,
    )
    return Package(bundle=bundle, bento_digest=digests["bento"], image_digest=digests["image"])


def lock(**outs: str) -> dict[str, Any]:
    """A parsed dvc.lock: by stage the digest of its one output."""
    return {
        "schema": "2.0",
        "stages": {stage: {"outs": [{"path": stage[:3], "md5": md5}]} for stage, md5 in outs.items()},
    }


def test_each_digest_is_compared_with_its_own() -> None:
    """One that differs is named, and no other; the data are those that were read, not those that are claimed."""
    assert rebuilt.differing(rebuilt.parts(package(), package(), "md5:e.dir")) == []
    assert rebuilt.differing(rebuilt.parts(package(), package(), "md5:f.dir")) == ["data"]
    for name in ("recipe", "model", "bento", "image"):
        other = package(**{name: f"sha256:{64 * 'f'}"})
        assert rebuilt.differing(rebuilt.parts(package(), other, "md5:e.dir")) == [name]


def test_outputs_are_compared_whatever_their_order() -> None:
    """DVC keeps the order of the lock that it found: a stage that was not run has it from long ago."""
    assert rebuilt.outputs(lock(prepare="1", train="2"), lock(train="2", prepare="1")) == ()
    assert rebuilt.outputs(lock(prepare="1", train="2"), lock(prepare="1", train="3")) == ("tra of train",)
    assert rebuilt.outputs(lock(), lock(prepare="1")) == ("pre of prepare",)
    assert rebuilt.outputs(lock(prepare="1"), lock()) == ("pre of prepare",)
