"""What every head is: a linear layer on the shared encoder's states, its loss and its metric."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

IGNORED = -100
"""Target of what carries no label (padding, word pieces after the first); PyTorch's losses skip it."""


class Head(nn.Module, ABC):
    """One task on top of the encoder; its metric is the function beside it, as the task's papers define it."""

    name: ClassVar[str]
    labels: ClassVar[tuple[str, ...]]

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, len(self.labels))

    @abstractmethod
    def forward(self, states: Tensor) -> Tensor:
        """Turn the last encoder states, float (batch, tokens, hidden), into logits."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss, a scalar, of logits as `forward` returns them."""

    @abstractmethod
    def distance(self, logits: Tensor, taught: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross entropy, a scalar, against a teacher's probabilities, where `targets` hold a label."""
