"""kustomize, which renders the sources under k8s/ and rollouts/. Needed by who edits them, never by who releases."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from slipway.errors import Broken


def build(overlay: Path, *options: str) -> dict[str, str]:
    """Render an overlay, as {file name: text} with one file for each object.

    The program is `$KUSTOMIZE`, or else `kustomize` on PATH; `options` are its own.

    Raises:
        Broken: there is no kustomize, or it refuses the overlay.

    """
    program = shutil.which(os.environ.get("KUSTOMIZE", "kustomize"))
    if program is None:
        raise Broken(
            "kustomize is not on PATH.", 'Install it, or build ours: export KUSTOMIZE="$(scripts/gotool.sh kustomize)"'
        )
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [program, "build", overlay, "-o", folder, *options], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Broken(f"kustomize refuses {overlay}: {done.stderr.strip()}", "Mend the sources that it names.")
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(Path(folder).iterdir())}
