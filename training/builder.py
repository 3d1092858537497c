"""Nodes and constants of an ONNX graph in the order they are added."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]

MICROSOFT = "com.microsoft"
"""Domain of ONNX Runtime's own operators."""


@dataclass(slots=True)
class GraphBuilder:
    """Each node has one output and is named as that; a constant is named by what it holds."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node and return its output's name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: Array) -> str:
        """Add a constant, unless there is one of that name, and return its name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(values, order="C"), name)
        return name

    def number(self, value: float) -> str:
        """Add a float scalar and return its name."""
        return self.constant(f"float {value!r}", np.array(value, np.float32))

    def integers(self, *values: int) -> str:
        """Add an int64 vector and return its name."""
        return self.constant(f"int64 {values!r}", np.array(values, np.int64))
