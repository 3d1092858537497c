"""The encoder as a lean ONNX graph, written operator by operator from the model's weights.

PyTorch's exporter writes more than twice as many nodes, most of the rest shape arithmetic, and generic attention:
quantized alike, that graph takes 1.4 times as long at 8 x 32 tokens and 1.9 times at 1 x 384. What matters to ONNX
Runtime's CPU kernels:

- Attention is one `MultiHeadAttention`, always with its mask. Without one the runtime takes a kernel that is 2 to 6 %
  faster in all and rounds otherwise: bytes round that up to a tenth of a logit, and a text alone had another answer
  than among others. With the mask a text's logits are the same to the bit, whatever it is padded to.
- Biases and residuals are added by `Sum`, because an `Add` before `LayerNormalization` or `Gelu` would be fused with it
  into a slower kernel.
- All but attention works on flat rows, (batch * tokens, hidden).
- The biases of key and value are gone, exactly: softmax does not see a key's bias (it adds the same to every score of a
  query), and attention's weights sum to 1, so a value's bias passes through to the bias of the next product.
"""

from typing import Any, Protocol

import numpy as np
import onnx
from onnx import TensorProto, helper

from schemas.manifest import NER_OUTPUT, QA_OUTPUT, SENTIMENT_OUTPUT
from training.builder import MICROSOFT, Floats, GraphBuilder
from training.model import MultiTaskModel

OPSET = 20  # the first with Gelu as one operator
_IR_VERSION = 10  # what opset 20 came with: newer ones would shut out older runtimes
_GELU_LEAST = -0.17
"""No value of Gelu is below: its minimum is -0.16997 (Hendrycks and Gimpel 2016, the erf form)."""


class Arithmetic(Protocol):
    """In which numbers the encoder computes; the heads are always fp32."""

    def rows(self, builder: GraphBuilder, output: str, table: Floats, ids: str) -> str:
        """Add the rows of a table (rows, hidden) at ids (batch, tokens); float, (batch, tokens, hidden)."""

    def product(self, builder: GraphBuilder, output: str, source: str, weight: Floats, least: float | None) -> str:
        """Add `source @ weight`, float (rows, outputs), of float (rows, inputs) and a weight (inputs, outputs).

        `least` is a bound that no value of the source is below, None where there is none.
        """


class FloatArithmetic:
    """fp32 throughout."""

    def rows(self, builder: GraphBuilder, output: str, table: Floats, ids: str) -> str:
        """Gather the rows."""
        return builder.add("Gather", [builder.constant(f"{output}.table", table), ids], output)

    def product(self, builder: GraphBuilder, output: str, source: str, weight: Floats, least: float | None) -> str:
        """Multiply."""
        return builder.add("MatMul", [source, builder.constant(f"{output}.weight", weight)], output)


class EncoderGraph:
    """Writes the graph of one model."""

    def __init__(self, model: MultiTaskModel, arithmetic: Arithmetic) -> None:
        self._weights: dict[str, Floats] = {
            name: tensor.detach().float().cpu().numpy() for name, tensor in model.state_dict().items()
        }
        self._config = model.encoder.config
        self._heads = tuple(model.heads)
        self._arithmetic = arithmetic
        self._builder = GraphBuilder()

    def build(self) -> onnx.ModelProto:
        """Return the checked model: three int64 inputs (batch, tokens), three float outputs."""
        self._sizes()
        states = self._embeddings()
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
            list(self._builder.constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, producer_name="training.graph", ir_version=_IR_VERSION, opset_imports=opsets)
        onnx.checker.check_model(model)
        return model

    def _sizes(self) -> None:
        """Add what every layer needs of the inputs: sizes, and attention's mask."""
        add, integers = self._builder.add, self._builder.integers
        add("Shape", ["input_ids"], "shape")  # (2,)
        add("Concat", ["shape", integers(self._config.hidden_size)], "states_shape", axis=0)  # (3,)
        add("Reshape", [add("Size", ["input_ids"], "size"), integers(1)], "rows")  # (1,)
        add("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)  # (batch, tokens)

    def _embeddings(self) -> str:
        """Add word, type and position embeddings; positions are the first rows of their table, without ids."""
        builder, prefix = self._builder, "encoder.embeddings"
        words = self._weights[f"{prefix}.word_embeddings.weight"]
        types = self._weights[f"{prefix}.token_type_embeddings.weight"]
        positions = builder.constant("positions", self._weights[f"{prefix}.position_embeddings.weight"])
        zero = builder.integers(0)
        tokens = builder.add("Shape", ["input_ids"], "tokens", start=1, end=2)  # (1,)
        terms = [
            self._arithmetic.rows(builder, "embedded_words", words, "input_ids"),  # (batch, tokens, hidden)
            FloatArithmetic().rows(builder, "embedded_types", types, "token_type_ids"),  # (batch, tokens, hidden)
            builder.add("Slice", [positions, zero, tokens, zero], "embedded_positions"),  # (tokens, hidden)
        ]
        normed = self._norm("embedded", terms, f"{prefix}.LayerNorm")
        return self._flatten("states", normed)

    def _layer(self, number: int, states: str) -> str:
        name, prefix = f"layer{number}", f"encoder.encoder.layer.{number}"
        attended = self._attention(name, f"{prefix}.attention", states)
        states = self._norm(f"{name}.attention_norm", [attended, states], f"{prefix}.attention.output.LayerNorm")
        inner = self._linear(f"{name}.inner", f"{prefix}.intermediate.dense", states)  # (rows, 4 * hidden)
        gelu = self._builder.add("Gelu", [inner], f"{name}.gelu")
        outer = self._linear(f"{name}.outer", f"{prefix}.output.dense", gelu, _GELU_LEAST)
        return self._norm(f"{name}.norm", [outer, states], f"{prefix}.output.LayerNorm")

    def _attention(self, name: str, prefix: str, states: str) -> str:
        query = self._linear(f"{name}.query", f"{prefix}.self.query", states)
        key = self._product(f"{name}.key", f"{prefix}.self.key", states)
        value = self._product(f"{name}.value", f"{prefix}.self.value", states)
        inputs = [self._builder.add("Reshape", [part, "states_shape"], f"{part}.wide") for part in (query, key, value)]
        mixed = self._builder.add(
            "MultiHeadAttention",
            [*inputs, "", "mask"],
            f"{name}.attention",
            domain=MICROSOFT,
            num_heads=self._config.num_attention_heads,
        )
        # In doubles, whose rounding does not show: the same bytes come out on every processor.
        weight = self._weights[f"{prefix}.output.dense.weight"].astype(np.float64)
        passed = (weight @ self._weights[f"{prefix}.self.value.bias"]).astype(np.float32)
        bias = self._weights[f"{prefix}.output.dense.bias"] + passed
        product = self._product(f"{name}.mixed", f"{prefix}.output.dense", self._flatten(f"{name}.flat", mixed))
        return self._builder.add(
            "Sum", [product, self._builder.constant(f"{name}.mixed.bias", bias)], f"{name}.attended"
        )

    def _outputs(self, states: str) -> None:
        """Add all heads as one product, cut apart afterwards; sentiment is what it says at the first token."""
        builder = self._builder
        names = [f"heads.{head}.linear" for head in self._heads]
        weight = np.concatenate([self._weights[f"{name}.weight"] for name in names]).T
        bias = np.concatenate([self._weights[f"{name}.bias"] for name in names])
        sizes = builder.integers(*(len(self._weights[f"{name}.bias"]) for name in names))
        wide = builder.add("Reshape", [states, "states_shape"], "wide")  # (batch, tokens, hidden)
        product = FloatArithmetic().product(builder, "heads", wide, weight, None)
        logits = builder.add("Add", [product, builder.constant("heads.bias", bias)], "logits")  # (batch, tokens, 13)
        outputs = ["everywhere", NER_OUTPUT, QA_OUTPUT]
        builder.nodes.append(helper.make_node("Split", [logits, sizes], outputs, name="split", axis=-1))
        first = builder.constant("first", np.array(0, np.int64))  # a scalar index takes the axis away
        builder.add("Gather", ["everywhere", first], SENTIMENT_OUTPUT, axis=1)

    def _flatten(self, output: str, source: str) -> str:
        """Add the rows of (batch, tokens, hidden) as (rows, hidden)."""
        return self._builder.add("Reshape", [source, self._builder.integers(-1, self._config.hidden_size)], output)

    def _product(self, output: str, key: str, source: str, least: float | None = None) -> str:
        return self._arithmetic.product(self._builder, output, source, self._weights[f"{key}.weight"].T, least)

    def _linear(self, name: str, key: str, source: str, least: float | None = None) -> str:
        product = self._product(f"{name}.product", key, source, least)
        bias = self._builder.constant(f"{name}.bias", self._weights[f"{key}.bias"])
        return self._builder.add("Sum", [product, bias], name)

    def _norm(self, name: str, terms: list[str], key: str) -> str:
        """Add the normalisation of the terms' sum over the last axis."""
        builder = self._builder
        weight = builder.constant(f"{name}.weight", self._weights[f"{key}.weight"])
        bias = builder.constant(f"{name}.bias", self._weights[f"{key}.bias"])
        inputs = [builder.add("Sum", terms, f"{name}.sum"), weight, bias]
        return builder.add("LayerNormalization", inputs, name, axis=-1, epsilon=self._config.layer_norm_eps)


def _int64(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])


def _float(name: str, shape: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
