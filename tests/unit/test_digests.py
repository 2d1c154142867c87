"""The digest of a tree binds each name, byte and executable bit of it, and nothing else."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slipway import digests

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=8)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = st.tuples(st.binary(max_size=12), st.booleans())
TREES = st.dictionaries(PATHS, FILES, min_size=1, max_size=5)
TREE = {"model/a.onnx": (b"one", False), "model/b.onnx": (b"two", False), "run.sh": (b"#!/bin/sh\n", True)}


@given(TREES, st.randoms(use_true_random=False))
def test_the_order_of_the_files_is_nothing(tree: dict[str, Any], chance: Any) -> None:
    """However a disk lists its files, the digest and the entries are the same."""
    shuffled = list(tree.items())
    chance.shuffle(shuffled)
    assert digests.of_tree(dict(shuffled)) == digests.of_tree(tree)
    assert list(digests.entries(dict(shuffled)).items()) == list(digests.entries(tree).items())


@given(TREES, TREES)
def test_two_trees_are_one_if_they_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Digests are equal exactly where names, bytes and bits are; only then is there no difference to name."""
    same = one == other
    assert (digests.of_tree(one) == digests.of_tree(other)) is same
    assert (digests.differences(digests.entries(one), digests.entries(other)) == []) is same


@given(TREES, st.data())
def test_every_change_of_one_file_is_another_digest(tree: dict[str, Any], data: st.DataObject) -> None:
    """A byte, the bit, the name, the file itself: each is bound."""
    path, new = data.draw(st.sampled_from(sorted(tree))), data.draw(PATHS)
    content, executable = tree[path]
    assume(new not in tree)
    without = {name: found for name, found in tree.items() if name != path}
    changed = (
        tree | {path: (content + b"\0", executable)},
        tree | {path: (content, not executable)},
        without | {new: (content, executable)},
        tree | {new: (content, executable)},
        without,
    )
    assert len({digests.of_tree(each) for each in (tree, *changed)}) == 1 + len(changed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": (b"1", False), "b": (b"2", False)}, {"a": (b"2", False), "b": (b"1", False)}),  # swapped names
        ({"a/b": (b"1", False)}, {"c/b": (b"1", False)}),  # a renamed folder
        ({"a/b": (b"1", False)}, {"a": (b"1", False)}),
        ({"ab": (b"c", False)}, {"a": (b"bc", False)}),  # what a concatenation cannot tell
        ({"a": (b"bc", False)}, {"a": (b"b", False), "c": (b"", False)}),
        ({"a": (b"", False)}, {"a": (b"", True)}),
        ({"\u00e9": (b"", False)}, {"e\u0301": (b"", False)}),  # one accent in two spellings
        ({"a b": (b"", False)}, {"a  b": (b"", False)}),
        ({"a\\nb": (b"", False)}, {"a\nb": (b"", False)}),
        ({"A": (b"", False)}, {"a": (b"", False)}),
    ],
)
def test_known_pitfalls(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Trees that other schemes take for one."""
    assert digests.of_tree(one) != digests.of_tree(other)


@pytest.mark.parametrize("line", ["{digest} 0 evil\n", '","size":1}},{{"path":"evil","sha256":"{hex}', "evil\x00{hex}"])
def test_no_name_looks_like_another_file(line: str) -> None:
    """A name that spells an entry, with line breaks or quotes, is still one name."""
    digest = digests.of_bytes(b"evil")
    name = "good\n" + line.format(digest=digest, hex=digest.removeprefix("sha256:"))
    one = {name: (b"good", False)}
    assert digests.of_tree(one) != digests.of_tree({"good": (b"good", False), "evil": (b"evil", False)})
    (said,) = digests.differences({}, digests.entries(one))
    assert said.isprintable(), "a name must not write a line of its own into what a person reads"


def test_the_earlier_format_was_ambiguous() -> None:
    """What this format is for: two trees that were one to the lines `DIGEST BIT NAME`."""
    digest = digests.of_bytes(b"two")
    one = {"a": (b"one", False), "b": (b"two", False)}
    other = {f"a\n{digest} 0 b": (b"one", False)}

    def lines(tree: digests.Tree) -> str:
        return "".join(f"{digests.of_bytes(found)} {int(bit)} {path}\n" for path, (found, bit) in sorted(tree.items()))

    assert lines(one) == lines(other)
    assert digests.of_tree(one) != digests.of_tree(other)


def test_a_name_that_is_no_text_has_no_digest() -> None:
    """Half a character, as Python reads a name that is no UTF-8: escaped, it would pass for another one."""
    with pytest.raises(UnicodeEncodeError):
        digests.of_tree({"a\udcff": (b"", False)})


def test_the_digest_is_what_it_was() -> None:
    """Signed statements hold it: a change of the format makes every one of them worthless."""
    assert digests.of_tree(TREE) == "sha256:60eff18328717043b4587f71020cf7d925effa4027551dac90ac46dd1a6cf00e"


def test_entries_name_each_file() -> None:
    """What the signed statement carries."""
    assert digests.entries(TREE) == {path: (digests.of_bytes(found), bit) for path, (found, bit) in TREE.items()}


def test_differences_are_sentences() -> None:
    """File by file: added, removed, changed, made executable, and a rename as what it is to a reader."""
    other = {
        "model/a.onnx": (b"one", True),
        "model/c.onnx": (b"two", False),
        "new\n\u202efile": (b"", False),
        "run.sh": (b"#!/bin/bash\n", False),
    }
    assert digests.differences(digests.entries(TREE), digests.entries(other)) == [
        "model/a.onnx was made executable",
        "model/b.onnx was removed",
        "model/c.onnx was added",
        "'new\\n\\u202efile' was added",
        "run.sh was changed and is executable no more",
    ]
