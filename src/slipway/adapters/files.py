"""The disk: parameters, records, tables. What is written appears whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from slipway import params, records
from slipway.errors import Broken
from slipway.params import Params

Record = TypeVar("Record", bound=msgspec.Struct)


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises:
        Broken: it is not there or cannot be read.

    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise Broken(f"{path} cannot be read: {error.strerror}", "Run the step that makes it first.") from error


def parse_yaml(text: bytes | str, origin: str) -> Any:  # noqa: ANN401  # whatever the YAML holds
    """Parse the text of a YAML mapping; `origin` names it in an error."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that is none; brackets without end
        raise Broken(f"{origin} is no YAML: {error}", "Mend the file.") from error
    if not isinstance(found, dict):
        raise Broken(f"{origin} holds no keys", "Mend the file.")
    return found


def parse_params(text: bytes | str, origin: str) -> Params:
    """Parse the text of a parameter file; `origin` names it in an error."""
    return params.parse(parse_yaml(text, origin), origin)


def read_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check `params.yaml`."""
    return parse_params(read_bytes(path), str(path))


def read_record(kind: type[Record], path: Path) -> Record:
    """Read a JSON record; strict, see `records.loads`."""
    return records.loads(kind, read_bytes(path), str(path))


def write_record(path: Path, record: msgspec.Struct) -> None:
    """Write a record as JSON."""
    write_text(path, records.dumps(record))


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that takes the place of `path` when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        temporary.chmod(0o755)
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def read_matching(root: Path, patterns: Iterable[str]) -> dict[str, bytes]:
    """Read the files under `root` that match one of the globs, by relative POSIX path."""
    found = (path for pattern in patterns for path in root.glob(pattern))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def read_texts(folder: Path, pattern: str) -> dict[str, str]:
    """Read the text files of a folder that match `pattern`, by name; an absent folder holds none."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob(pattern))}


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Make a folder that holds exactly these text files; what was in it before is gone."""
    with new_folder(folder) as fresh:
        for name, text in texts.items():
            write_text(fresh / name, text)
