"""Array aliases naming rank and kind, and the few formulas that every head needs."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints1d: TypeAlias = npt.NDArray[np.int64]
Ints2d: TypeAlias = npt.NDArray[np.int64]
Floats1d: TypeAlias = npt.NDArray[np.float32]
Floats2d: TypeAlias = npt.NDArray[np.float32]
Floats3d: TypeAlias = npt.NDArray[np.float32]


def softmax(logits: Floats2d) -> Floats2d:
    """Return probabilities along the last axis, same shape."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Floats2d = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities
