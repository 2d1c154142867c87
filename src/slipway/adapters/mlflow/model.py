"""Our model in MLflow's form: exactly our bytes, and what `mlflow.onnx` and `mlflow.pyfunc` need to load them."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from onnx import ModelProto, ValueInfoProto

Floats = np.ndarray[Any, np.dtype[np.float32]]


def write(source: Path, example: Floats, folder: Path) -> None:
    """Write the model of `source` (model.onnx, model.json); `example` is an input of shape (1, features)."""
    import mlflow.onnx
    import onnx

    content = (source / "model.onnx").read_bytes()
    loaded = onnx.load_model_from_string(content)
    mlflow.onnx.save_model(
        loaded,
        str(folder),
        signature=_signature(loaded),
        input_example=example,
        pip_requirements=["onnx", "onnxruntime"],
    )
    (folder / "model.onnx").write_bytes(content)
    shutil.copy(source / "model.json", folder)


def _signature(loaded: "ModelProto") -> "ModelSignature":
    """What the graph itself says of its inputs and outputs; -1 is the number of rows."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec
    from onnx.helper import tensor_dtype_to_np_dtype

    def schema(values: "Iterable[ValueInfoProto]", *, named: bool) -> Schema:
        tensors = [(value.name if named else None, value.type.tensor_type) for value in values]
        return Schema(
            [
                TensorSpec(
                    tensor_dtype_to_np_dtype(tensor.elem_type),
                    tuple(size.dim_value or -1 for size in tensor.shape.dim),
                    name,
                )
                for name, tensor in tensors
            ]
        )

    # There is one input, which callers need not name.
    return ModelSignature(schema(loaded.graph.input, named=False), schema(loaded.graph.output, named=True))
