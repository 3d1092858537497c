"""What a model bundle says of itself: `manifest.json`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MANIFEST_FILE = "manifest.json"
QUANTIZED_MODEL_FILE = "model.quant.onnx"
FLOAT_MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
METRICS_FILE = "metrics.json"
CARD_FILE = "README.md"

SENTIMENT_OUTPUT = "sentiment_logits"
NER_OUTPUT = "ner_logits"
QA_OUTPUT = "qa_logits"


class Window(BaseModel):
    """How long texts are read: so many tokens at a time, special ones included, neighbours sharing some.

    The context of a question in windows of `tokens` and `stride`, for an answer may need what stands far away; a text
    without a question in those of `text_tokens` and `text_stride`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int = Field(gt=8, le=512)
    stride: int = Field(ge=0)
    text_tokens: int = Field(default=128, gt=8, le=512)
    text_stride: int = Field(default=32, ge=0)
    question_tokens: int = Field(gt=0, description="Tokens of a question that are read; the rest is cut and flagged.")
    answer_tokens: int = Field(gt=0, description="Tokens of the longest answer.")


class Manifest(BaseModel):
    """A bundle's identity, and all that the worker must know to use its graph.

    `schema_version`: raised when a worker of today would read the bundle wrongly; it refuses what it does not know.
    `labels`: head name to label names, in the order of the logits. `token_types`: 2 (segment) or 8 (segment plus
    twice the case of the word). `temperatures`: head name to the divisor that calibrates its logits. `files`: name to
    sha256. `training`: where the weights came from, for people. `answer_length_penalty`: taken off the logit of an
    answer for each token after its first, before the temperature divides it; older bundles have none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,31}$")
    labels: dict[str, list[str]]
    window: Window
    token_types: int = Field(ge=1, le=8)
    temperatures: dict[str, float]
    answer_length_penalty: float = Field(default=0.0, ge=0)
    outputs: dict[str, str] = Field(description="Head name to the graph's output name.")
    files: dict[str, str]
    training: dict[str, Any] = Field(default_factory=dict)
