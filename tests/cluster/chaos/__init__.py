"""Whatever fails while a canary is in flight: a good one is promoted all the same, and a bad one never."""

import os

FULL = os.environ.get("SLIPWAY_CHAOS") == "full"  # make chaos; else three faults, as CI plays them
