"""A registered bundle as MLflow serves it: a model from code, no pickle, with the product's own reading and decoding.

This file and the packages `worker` and `schemas` travel with the model version; `mlflow.pyfunc.load_model` runs it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.models.signature import ModelSignature
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types.schema import Array, ColSpec, DataType, Object, Property, Schema

from schemas import DOCUMENT, DocumentRequest
from worker.bundle import load_bundle
from worker.encoder import Encoder
from worker.inference import Inference

ARTIFACT = "bundle"
"""The artifact of the model version that is the bundle's directory."""


def _object(**properties: DataType) -> Object:
    return Object([Property(name, kind) for name, kind in properties.items()])


_TEXT, _NUMBER, _SCORE = DataType.string, DataType.long, DataType.double

SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec(_TEXT, "text"),
            ColSpec(Array(_TEXT), "tasks", required=False),
            ColSpec(Array(_TEXT), "questions", required=False),
        ]
    ),
    outputs=Schema(
        [
            ColSpec(_TEXT, "id"),
            ColSpec(_TEXT, "text"),
            ColSpec(_object(label=_TEXT, score=_SCORE), "sentiment", required=False),
            ColSpec(
                Array(_object(text=_TEXT, type=_TEXT, start_char=_NUMBER, end_char=_NUMBER, score=_SCORE)),
                "entities",
                required=False,
            ),
            ColSpec(
                Array(
                    _object(
                        question=_TEXT,
                        answer=_TEXT,
                        start_char=_NUMBER,
                        end_char=_NUMBER,
                        score=_SCORE,
                        truncated=DataType.boolean,
                    )
                ),
                "answers",
            ),
        ]
    ),
)
"""Documents in, enriched documents out: the records of the topics `nlp.documents` and `nlp.enriched`."""

INPUT_EXAMPLE = [
    {"text": "Apple Inc. opened a bright new office in London.", "questions": ["Where is the new office?"]},
    {"text": "Everyone loves it.", "questions": []},
]


class Enrichment(PythonModel):
    """Answers documents, one a row; a column that is left out, or None, has the record's own default."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle that was registered with this code; raises `BundleError` where its sums do not fit."""
        bundle = load_bundle(Path(context.artifacts[ARTIFACT]))
        self._inference = Inference(bundle, Encoder(bundle.model, bundle.manifest.outputs))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Return an enriched document for each row; raises `RecordError` of any of them."""
        documents = [_document(row) for row in model_input.to_dict(orient="records")]
        return [record.model_dump(mode="json") for record in self._inference.answer(DOCUMENT, documents)]


def _document(row: dict[str, Any]) -> DocumentRequest:
    """Return a row as a record; MLflow gives arrays for lists, and None where a row leaves out what others have."""
    values = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in row.items()}
    return DocumentRequest(**{name: value for name, value in values.items() if value is not None})


set_model(Enrichment())
