"""Is this the bento that was released: every file of it, held against what the environment names.

SLIPWAY_BENTO  the bento's digest, as the release record and the signed statement have it; a release fills it in

Without it nothing is compared, as in a bento that somebody serves by hand. It finds what was changed after the bento
was signed, on a disk or in an image of other layers; whoever can change this code as well can leave it out.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from slipway import digests
from slipway.adapters import tree
from slipway.errors import Rejected

VARIABLE = "SLIPWAY_BENTO"


def check(bento: Path, variables: Mapping[str, str] = os.environ) -> None:
    """Compare the files of a bento with the digest that the environment names.

    Raises:
        Rejected: they differ.
        Broken: there is something that no digest binds, by name.

    """
    if (expected := variables.get(VARIABLE)) is None:
        return
    found = digests.of_tree(tree.read(bento))
    if found != expected:
        raise Rejected(
            f"the digest of the bento is {found}, {VARIABLE} says {expected}",
            "Serve the bento that `slipway package` made; its digest stands in the release record.",
        )
