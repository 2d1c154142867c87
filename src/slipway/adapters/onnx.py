"""ONNX: what is trained becomes bytes, and bytes become probabilities. No Python code is ever loaded from a model."""

from typing import TYPE_CHECKING, Any

import numpy as np

from slipway.errors import Broken

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

INPUT, OUTPUT, OPSET = "features", "probabilities", 17
Floats = np.ndarray[Any, np.dtype[np.float32]]
Probabilities = np.ndarray[Any, np.dtype[np.float64]]


def convert(fitted: "Pipeline", width: int) -> bytes:
    """Convert a fitted classifier with `width` float inputs; the same estimator gives the same bytes."""
    from onnx.helper import make_opsetid
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    model = to_onnx(
        fitted, initial_types=[(INPUT, FloatTensorType([None, width]))], target_opset=OPSET, options={"zipmap": False}
    )
    # skl2onnx takes them from a set, whose order is that of the process's hash seed. As it was in what is released.
    ordered = sorted(((each.domain, each.version) for each in model.opset_import), reverse=True)
    del model.opset_import[:]
    model.opset_import.extend(make_opsetid(domain, version) for domain, version in ordered)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


class Scorer:
    """A loaded model. `score` takes features of shape (rows, features) and returns P(late), shape (rows,)."""

    def __init__(self, content: bytes) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no base class but this
            raise Broken(f"model.onnx cannot be loaded: {error}", "Run `dvc repro train` to make it again.") from error

    def score(self, inputs: Floats) -> Probabilities:
        """P(late) per row."""
        scores: Probabilities = self._session.run((OUTPUT,), {INPUT: inputs})[0][:, 1].astype(np.float64)
        return scores
