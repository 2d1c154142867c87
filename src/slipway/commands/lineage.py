"""Where the model at hand comes from: what DVC and Git say of the files under artifacts/."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from slipway.adapters import files
from slipway.errors import Rejected
from slipway.records import ModelInfo


@dataclass(frozen=True)
class Lineage:
    """The model's record, and the digest of the data it was trained on (as DVC writes it: md5 of the folder)."""

    model: ModelInfo
    data_digest: str


def lineage(root: Path) -> Lineage:
    """Read the lineage of artifacts/model.

    Raises:
        Rejected: the pipeline was last run on other data than data.dvc names.

    """
    data = yaml.safe_load(files.read_bytes(root / "data.dvc"))["outs"][0]["md5"]
    lock = yaml.safe_load(files.read_bytes(root / "dvc.lock"))
    used = next(dep["md5"] for dep in lock["stages"]["prepare"]["deps"] if dep["path"] == "data")
    if used != data:
        raise Rejected(f"the model was trained on data {used}, data.dvc names {data}", "Run `dvc repro`.")
    return Lineage(model=files.read_record(ModelInfo, root / "artifacts/model/model.json"), data_digest=f"md5:{data}")
