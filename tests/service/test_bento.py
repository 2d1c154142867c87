"""The bento: the same bytes wherever it is made, nothing of the machine in it, and all that the service imports."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slipway import digests
from slipway.adapters import bento, files, tree
from slipway.errors import Broken
from slipway.records import Bundle

from .conftest import ROOT, SOURCE, build

ELSEWHERE = """
import sys
from pathlib import Path
from slipway.adapters import bento, files
from slipway.records import Bundle
source, model, requirements, bundle, out = map(Path, sys.argv[1:])
bento.build(source, model, requirements, files.read_record(Bundle, bundle), out)
"""
IMPORTS = """
import json, sys, feedback, service, shipper
print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] == "slipway"]))
"""


def test_two_builds_are_the_same_tree(built: Path, model: Path, tmp_path: Path) -> None:
    """Another path, umask, locale, time zone, home and hash seed: the same digest of the tree, modes included."""
    source, other = tmp_path / "a b" / "flights", tmp_path / "other"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(model, other)
    arguments = [source, other, ROOT / "requirements/serving.txt", built / "src/bundle.json", tmp_path / "out"]
    environment = os.environ | {
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "C",
        "TZ": "Asia/Tokyo",
        "HOME": str(tmp_path),
        "PYTHONHASHSEED": "7",
        "BENTOML_HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path),
    }
    command = [sys.executable, "-c", ELSEWHERE, *map(str, arguments)]
    subprocess.run(command, env=environment, umask=0o077, cwd=tmp_path, check=True)

    assert digests.of_tree(tree.read(tmp_path / "out")) == digests.of_tree(tree.read(built))
    modes = {path.relative_to(tmp_path / "out"): path.stat().st_mode for path in (tmp_path / "out").rglob("*")}
    assert modes == {path.relative_to(built): path.stat().st_mode for path in built.rglob("*")}


def test_nothing_of_the_machine_is_in_the_tree(built: Path) -> None:
    """No path of this checkout, of a temporary folder or of a home, no host name, no time of the build."""
    foreign = [str(ROOT), "/tmp/", str(Path.home()), os.uname().nodename, "slipway-bento-"]  # noqa: S108  # looked for
    for path, (content, _) in tree.read(built).items():
        assert not path.endswith(".pyc")
        for text in foreign:
            assert text.encode() not in content, (path, text)
    assert "creation_time: '1970-01-01T00:00:00+00:00'" in (built / "bento.yaml").read_text()


def test_it_holds_all_that_the_service_imports(built: Path) -> None:
    """With only the bento's own modules in reach, the service imports, and takes none from elsewhere."""
    command, environment = [sys.executable, "-c", IMPORTS], os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    listed = subprocess.check_output(command, cwd=built / "src", env=environment, text=True)
    imported = [Path(path).relative_to(built / "src/slipway").as_posix() for path in json.loads(listed)]
    assert sorted(imported) == sorted(bento.MODULES)


def test_one_changed_byte_is_another_digest(built: Path, model: Path, tmp_path: Path) -> None:
    """The version, and so any byte of the lineage, is part of the digest."""
    other = build(model, tmp_path / "bento", version="1.2.4")
    assert digests.of_tree(tree.read(other)) != digests.of_tree(tree.read(built))


def test_pins_are_the_lock_without_its_hashes() -> None:
    """Every requirement of the lock is in the bento, with its version and marker, and no hash."""
    first = "# by a tool\na==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n"
    second = "b==2 ; os_name == 'nt' \\\n    --hash=sha256:02\n"
    assert bento.pins(first + second) == "a==1\nb==2 ; os_name == 'nt'\n"


def test_a_service_that_does_not_import_is_broken(built: Path, model: Path, tmp_path: Path) -> None:
    """A fault in the service ends the build with BentoML's own words, and leaves no bento."""
    source = tmp_path / "flights"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "telemetry.py").write_text("raise ImportError('no such thing')\n")
    bundle = files.read_record(Bundle, built / "src/bundle.json")
    with pytest.raises(Broken, match="no such thing"):
        bento.build(source, model, ROOT / "requirements/serving.txt", bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()
