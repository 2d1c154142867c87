"""FEATURES of src/slipway/features.py; the rest stays."""

from slipway import schema
from slipway.features import _number

FEATURES = tuple(_number(column.name) for column in schema.MEASURED)
