"""The model: one shared BERT encoder, three linear heads."""

from torch import Tensor, nn
from transformers import BertConfig, BertModel

from training.tasks import HEAD_TYPES, Head

TOKEN_TYPES = 8
"""Segment plus twice the case of the word: see `worker.tokenizer`."""


class MultiTaskModel(nn.Module):
    """Every head reads the same encoder states, so that one pass answers all tasks of a text.

    The encoder is MiniLM-L6-H384 (Wang et al. 2020) in Hugging Face's `BertModel`, without its pooler: no head
    reads it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = BertModel(encoder_config(), add_pooling_layer=False)  # type: ignore[no-untyped-call]
        hidden_size = self.encoder.config.hidden_size
        self.heads = nn.ModuleDict({head.name: head(hidden_size) for head in HEAD_TYPES})

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


def encoder_config() -> BertConfig:
    """Return the encoder's sizes: those of all-MiniLM-L6-v2, but for the rows of the token types."""
    return BertConfig(
        vocab_size=30_522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1_536,
        max_position_embeddings=512,
        type_vocab_size=TOKEN_TYPES,
        layer_norm_eps=1e-12,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
