"""The one place that keeps every library from phoning home, and the maths from depending on the machine.

Imported before anything else by the command line and by the stages; child processes inherit it. The service's image
sets the same variables (bentos/flights/Containerfile), and a test compares the two. The platform image has them
from here.
"""

import os

SILENT = {
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
}
# One thread and one core type: sums in another order, or with other instructions, are other bytes.
DETERMINISTIC = {
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
}

os.environ.update(SILENT)
os.environ.update(DETERMINISTIC)
