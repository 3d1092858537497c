"""The ONNX Runtime session: a batch in, the logits of all three heads out."""

from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from worker.arrays import Floats1d, Floats2d, Floats3d
from worker.batching import Batch
from worker.processor import saturates_here
from worker.tokenizer import Window


@dataclass(frozen=True, slots=True)
class WindowLogits:
    """What the heads say of one window, float32: sentiment (2,), ner (tokens, 9), qa (tokens, 2).

    Padding is cut off; special and question tokens are still there.
    """

    sentiment: Floats1d
    ner: Floats2d
    qa: Floats2d


@dataclass(frozen=True, slots=True)
class Logits:
    """What the heads say of a batch, float32."""

    sentiment: Floats2d
    ner: Floats3d
    qa: Floats3d

    def of(self, row: int, window: Window) -> WindowLogits:
        """Return one window's part."""
        tokens = len(window)
        return WindowLogits(self.sentiment[row], self.ner[row, :tokens], self.qa[row, :tokens])


class Encoder:
    """One shared encoder with three heads; `run` may be called from several threads at once."""

    def __init__(self, model: Path, outputs: dict[str, str], threads: int = 1) -> None:
        self._outputs = [outputs[head] for head in ("sentiment", "ner", "qa")]
        self._session = ort.InferenceSession(
            str(model),
            session_options(threads),
            providers=["CPUExecutionProvider"],
            # The fused CPU kernel is a scalar loop, the plain LayerNormalization is vectorised: 1.1 times as fast.
            disabled_optimizers=["SkipLayerNormFusion"],
        )

    def run(self, batch: Batch) -> Logits:
        """Compute all heads of all windows of a batch, in one pass."""
        inputs = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
            "token_type_ids": batch.token_type_ids,
        }
        return Logits(*self._session.run(self._outputs, inputs))


def session_options(threads: int) -> ort.SessionOptions:
    """Return options for short inputs of varying shape."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would take the event loop's core between two runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A plan for each shape ever seen would be kept for ever.
    options.enable_mem_pattern = False
    if saturates_here():
        # Sums that cannot overflow, for a tenth more time: without, the logits' error is 2.5 times as large. Where VNNI
        # is, the option would take its kernels away.
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    return options
