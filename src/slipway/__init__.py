"""Slipway: trains, gates, releases, canaries and takes back machine-learning models, with Git as the record.

The root of the package is pure: it decides over frozen records and frames. `stages` turn files into files (one
module per DVC stage), `adapters` each know one outside system, `commands` act on the world (one module per verb).
"""

__version__ = "0.1.0"
