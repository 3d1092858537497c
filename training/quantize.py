"""Dynamic int8: weights as signed bytes per output channel, activations as unsigned bytes scaled at run time.

The embedding tables become bytes too, which halves the file; the heads stay in fp32: they are cheap, and they decide.
ONNX Runtime gives an activation one scale for the whole batch, so an int8 answer may depend a little on what else is in
its batch (microsoft/onnxruntime issue 10111).
"""

import logging
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from training.graph import HEADS_NODE

MAX_BYTES = 25_000_000
"""What the repository and a container image are to carry at most."""


def quantize(model: onnx.ModelProto, path: Path) -> None:
    """Write the int8 graph; raises `ValueError` where the file is larger than `MAX_BYTES`."""
    logging.getLogger().setLevel(logging.ERROR)  # the quantizer recommends, through the root logger, a pass we need not
    quantize_dynamic(
        model,
        path,
        op_types_to_quantize=["MatMul", "Gather"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=[f"{HEADS_NODE}.product"],
    )
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: {path.stat().st_size} bytes, the limit is {MAX_BYTES}")
