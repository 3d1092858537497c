"""The encoder as a lean ONNX graph, written operator by operator from the model's weights.

PyTorch's exporter writes four times as many nodes, most of them shape arithmetic, which at short texts costs as much as
a layer. Three things matter to ONNX Runtime's CPU kernels:

- Attention is one `MultiHeadAttention`. It takes its fast path only without a mask, so a batch without padding (a
  single text, or texts of equal length) goes through an `If` branch that has none.
- Query, key and value stay three products of one input: quantized, they share one quantization of it.
- Residuals are added by `Sum`, because `Add` before `LayerNormalization` would be fused into a slower kernel.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from schemas.manifest import NER_OUTPUT, QA_OUTPUT, SENTIMENT_OUTPUT
from training.model import MultiTaskModel

Floats = npt.NDArray[np.float32]

OPSET = 20  # the first with Gelu as one operator
_IR_VERSION = 10  # what opset 20 came with: newer ones would shut out older runtimes
_MICROSOFT = "com.microsoft"
HEADS_NODE = "heads"
"""The product of all heads: quantization leaves it in fp32."""


@dataclass(frozen=True, slots=True)
class GraphBuilder:
    """Nodes and constants in the order they were added."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node named as its output, and return that name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: npt.NDArray[np.generic]) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def linear(self, name: str, source: str, weight: Floats, bias: Floats) -> str:
        """Add `source @ weight.T + bias`; `weight` is (outputs, inputs) as in PyTorch."""
        product = self.add("MatMul", [source, self.constant(f"{name}.weight", weight.T)], f"{name}.product")
        return self.add("Add", [product, self.constant(f"{name}.bias", bias)], name)

    def layer_norm(self, name: str, terms: list[str], weight: Floats, bias: Floats, epsilon: float) -> str:
        """Add the normalisation of the terms' sum over the last axis."""
        total = self.add("Sum", terms, f"{name}.sum")
        inputs = [total, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        return self.add("LayerNormalization", inputs, name, axis=-1, epsilon=epsilon)


class EncoderGraph:
    """Writes one model's graph."""

    def __init__(self, model: MultiTaskModel) -> None:
        self._weights: dict[str, Floats] = {
            name: tensor.detach().float().cpu().numpy() for name, tensor in model.state_dict().items()
        }
        self._config = model.encoder.config
        self._heads = tuple(model.heads)
        self._builder = GraphBuilder()

    def build(self) -> onnx.ModelProto:
        """Return the checked model: three int64 inputs (batch, tokens), three float outputs."""
        states = self._embeddings()
        self._mask()
        for layer in range(self._config.num_hidden_layers):
            states = self._layer(layer, states)
        self._outputs(states)
        graph = helper.make_graph(
            self._builder.nodes,
            "multi_task_encoder",
            [_int64(name) for name in ("input_ids", "attention_mask", "token_type_ids")],
            [
                _float(SENTIMENT_OUTPUT, ["batch", 2]),
                _float(NER_OUTPUT, ["batch", "tokens", 9]),
                _float(QA_OUTPUT, ["batch", "tokens", 2]),
            ],
            self._builder.constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(graph, producer_name="training.graph", ir_version=_IR_VERSION, opset_imports=opsets)
        onnx.checker.check_model(model)
        return model

    def _embeddings(self) -> str:
        """Add word, position and type embeddings; positions are the first rows of their table, without ids."""
        add, constant = self._builder.add, self._builder.constant
        prefix = "encoder.embeddings"
        words = constant("words", self._weights[f"{prefix}.word_embeddings.weight"])
        types = constant("types", self._weights[f"{prefix}.token_type_embeddings.weight"])
        positions = constant("positions", self._weights[f"{prefix}.position_embeddings.weight"])
        zero = constant("zero", np.zeros(1, np.int64))
        tokens = add("Shape", ["input_ids"], "tokens", start=1, end=2)
        terms = [
            add("Gather", [words, "input_ids"], "embedded_words"),  # (batch, tokens, hidden)
            add("Gather", [types, "token_type_ids"], "embedded_types"),  # (batch, tokens, hidden)
            add("Slice", [positions, zero, tokens, zero], "embedded_positions"),  # (tokens, hidden)
        ]
        return self._norm("embedded", terms, f"{prefix}.LayerNorm")

    def _mask(self) -> None:
        """Add the mask as attention reads it, and whether there is no padding at all."""
        add = self._builder.add
        add("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)  # (batch, tokens)
        add("ReduceMin", ["mask"], "least_mask", keepdims=0)
        add("Cast", ["least_mask"], "is_full", to=TensorProto.BOOL)  # ()

    def _layer(self, number: int, states: str) -> str:
        name, prefix = f"layer{number}", f"encoder.encoder.layer.{number}"
        attended = self._attention(name, f"{prefix}.attention.self", states)
        attended = self._linear(f"{name}.attended", f"{prefix}.attention.output.dense", attended)
        states = self._norm(f"{name}.attention_norm", [attended, states], f"{prefix}.attention.output.LayerNorm")
        inner = self._linear(f"{name}.inner", f"{prefix}.intermediate.dense", states)  # (batch, tokens, 4 * hidden)
        inner = self._builder.add("Gelu", [inner], f"{name}.gelu")
        outer = self._linear(f"{name}.outer", f"{prefix}.output.dense", inner)
        return self._norm(f"{name}.norm", [outer, states], f"{prefix}.output.LayerNorm")

    def _attention(self, name: str, prefix: str, states: str) -> str:
        inputs = [self._linear(f"{name}.{part}", f"{prefix}.{part}", states) for part in ("query", "key", "value")]
        return self._builder.add(
            "If",
            ["is_full"],
            f"{name}.attention",
            then_branch=self._attention_branch(f"{name}.full", inputs),
            else_branch=self._attention_branch(f"{name}.padded", [*inputs, "", "mask"]),
        )

    def _attention_branch(self, name: str, inputs: list[str]) -> onnx.GraphProto:
        node = helper.make_node(
            "MultiHeadAttention",
            inputs,
            [name],
            name=name,
            domain=_MICROSOFT,
            num_heads=self._config.num_attention_heads,
        )
        return helper.make_graph([node], name, [], [_float(name, ["batch", "tokens", self._config.hidden_size])])

    def _outputs(self, states: str) -> None:
        """Add all heads as one product, cut apart afterwards; sentiment is what it says at the first token."""
        add, constant = self._builder.add, self._builder.constant
        weight = np.concatenate([self._weights[f"heads.{head}.linear.weight"] for head in self._heads])
        bias = np.concatenate([self._weights[f"heads.{head}.linear.bias"] for head in self._heads])
        logits = self._builder.linear(HEADS_NODE, states, weight, bias)  # (batch, tokens, 13)
        sizes = [len(self._weights[f"heads.{head}.linear.bias"]) for head in self._heads]
        split = helper.make_node(
            "Split", [logits, constant("sizes", np.array(sizes))], ["every", NER_OUTPUT, QA_OUTPUT], axis=-1
        )
        self._builder.nodes.append(split)
        add("Gather", ["every", constant("first", np.array(0))], SENTIMENT_OUTPUT, axis=1)

    def _linear(self, name: str, key: str, source: str) -> str:
        return self._builder.linear(name, source, self._weights[f"{key}.weight"], self._weights[f"{key}.bias"])

    def _norm(self, name: str, terms: list[str], key: str) -> str:
        weight, bias = self._weights[f"{key}.weight"], self._weights[f"{key}.bias"]
        return self._builder.layer_norm(name, terms, weight, bias, self._config.layer_norm_eps)


def _int64(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])


def _float(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
