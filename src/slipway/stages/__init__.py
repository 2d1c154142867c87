"""Files in, files out: one module is one stage of dvc.yaml and one section of params.yaml."""

import sys
from collections.abc import Callable

from slipway import quiet as quiet
from slipway.errors import SlipwayError


def run(main: Callable[[], None]) -> None:
    """Run a stage's entry; a refusal or a breakage is a sentence, a remedy and the exit code that `dvc repro` sees."""
    try:
        main()
    except SlipwayError as error:
        sys.stderr.write(f"\n{error.what}\n-> {error.remedy}\n")
        sys.exit(error.exit_code)
