"""The model: one shared BERT encoder, three linear heads."""

from torch import Tensor, nn
from transformers import BertConfig, BertModel

from training.tasks import HEAD_TYPES, Head


class MultiTaskModel(nn.Module):
    """Every head reads the same encoder states, so that one pass answers all tasks of a text.

    The encoder is Hugging Face's `BertModel` without its pooler, which no head reads; `training.encoders` has the sizes
    that there are.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.encoder = BertModel(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]
        self.heads = nn.ModuleDict({head.name: head(config.hidden_size) for head in HEAD_TYPES})

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> dict[str, Tensor]:
        """Return the logits by head name; the inputs are int64 (batch, tokens)."""
        states = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state  # (batch, tokens, hidden)
        return {name: head(states) for name, head in self.heads.items()}

    def head(self, task: str) -> Head:
        """Return the head of a task."""
        head = self.heads[task]
        assert isinstance(head, Head)  # the dictionary holds nothing else
        return head

    def set_dropout(self, fraction: float) -> None:
        """Drop this fraction of activations while training."""
        for module in self.encoder.modules():
            if isinstance(module, nn.Dropout):
                module.p = fraction
