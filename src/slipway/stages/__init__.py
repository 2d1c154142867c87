"""Files in, files out: one module is one stage of dvc.yaml and one section of params.yaml."""

import sys
import traceback
from collections.abc import Callable

from slipway import quiet as quiet
from slipway.errors import Broken, SlipwayError


def run(main: Callable[[], None]) -> None:
    """Run a stage's entry; a refusal or a breakage is a sentence, a remedy and the exit code that `dvc repro` sees."""
    try:
        main()
    except SlipwayError as error:
        sys.stderr.write(f"\n{error.what}\n-> {error.remedy}\n")
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001  # Python's own exit code for it is 1, which here is a verdict
        traceback.print_exc()
        sys.exit(Broken.exit_code)
