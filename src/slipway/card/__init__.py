"""The model card and ML-BOM of a release, as one CycloneDX document: pure functions from records and a person's words.

words      what a person says: bentos/flights/card.yaml
packages   what the service runs on: the lock of the runtime image
writing    the document, from words, records and lock
reading    what stands in a document, and whether it is the card of a package
"""

from slipway.card.reading import check, read

__all__ = ["check", "read"]
