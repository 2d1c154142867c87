"""What the pages on security and signing say of policy, statement and bundle is what the code does."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from tests import samples, signed
from tests.conftest import REPOSITORY, ROOT

from slipway import attestation
from slipway.attestation import Provenance
from slipway.commands import verifying
from slipway.signing import Policy

SECURITY, SIGNING = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("security.md", "signing.md"))


def section(page: str, title: str) -> str:
    """What stands under a heading."""
    return page.partition(f"## {title}")[2].partition("\n## ")[0]


def rows(text: str) -> list[str]:
    """The first cells of a table's rows, without its head."""
    return [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| `")]


def fields(kind: Any, path: str) -> Iterator[str]:
    """Where each value of a record stands, down to lists and to records of other modules."""
    for one in msgspec.structs.fields(kind):
        here = f"{path}.{one.encode_name}".lstrip(".")
        inner = one.type if isinstance(one.type, type) and issubclass(one.type, msgspec.Struct) else None
        if inner and inner.__module__ == attestation.__name__:
            yield from fields(inner, here)
        else:
            yield here


def test_each_key_of_the_policy_is_explained() -> None:
    """In the table, in the order of the file that ships, and no other key."""
    keys = [name.strip("`") for name in rows(section(SECURITY, "Who signs"))]
    assert keys == list(Policy.__struct_fields__)
    assert keys == re.findall(r"^(\w+):", (ROOT / verifying.POLICY).read_text(), re.MULTILINE)


def test_each_field_of_the_statement_is_explained() -> None:
    """Each field of the build type, and no other; a row may name the ends of several."""
    told = set()
    for row in rows(section(SECURITY, "What is signed")):
        first, *others = re.findall(r"`([^`]+)`", row)
        told |= {first, *(first.rpartition(".")[0] + other for other in others)}
    assert told == set(fields(Provenance, ""))
    assert f"`{attestation.BUILD_TYPE}`" in section(SECURITY, "What is signed")


def test_anybody_can_check_a_release_without_slipway(tmp_path: Path) -> None:
    """The page's command, but for whose Sigstore and repository it was: accepts the card, and no other file."""
    package = samples.package("1.0.0")
    signed.write(tmp_path, package, samples.gate(package.bundle.model_digest, None))
    (block,) = re.findall(r"^    (sigstore verify .*\n(?:      .*\n)+)", SIGNING, re.MULTILINE)
    block = block.replace("https://github.com/example/slipway/", f"{REPOSITORY}/")
    program, *words = shlex.split(block.replace("\\\n", " "))
    trusting = ["--trust-config", signed.trusting()[verifying.LOOPBACK]]
    command = [str(Path(sys.executable).parent / program), *trusting, *words]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predicateType"] == attestation.PROVENANCE

    card = tmp_path / "attestations/1.0.0.cdx.json"
    card.write_text(card.read_text() + " ")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
