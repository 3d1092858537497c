"""Scores a model in training on what is held out, through the product's tokenizer and decoding."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from schemas.manifest import Manifest
from training.bundle import WINDOW
from training.data import LabelledText, Question, TaggedSentence
from training.encoders import TOKEN_TYPES, pretrained_file
from training.export import OUTPUTS
from training.model import MultiTaskModel
from training.sets import EntitySet, LabelledSet, PlainSet, QuestionSet, SentimentSet, spaced
from training.tasks import HEAD_TYPES
from worker.batching import Batch
from worker.bundle import Bundle
from worker.encoder import Logits
from worker.inference import Inference

_BATCH_TOKENS = 4096  # PyTorch's fixed cost of a run is higher than the graph's


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples of each task; empty for a task that is not trained.

    `opinions`: our own, which are scored apart from the sentiment of SST-2.
    """

    sentiment: Sequence[LabelledText] = ()
    ner: Sequence[TaggedSentence] = ()
    qa: Sequence[Question] = ()
    opinions: Sequence[LabelledText] = ()

    @property
    def sets(self) -> list[LabelledSet]:
        """The examples as sets that can be scored."""
        sets = (
            SentimentSet("sentiment", self.sentiment),
            PlainSet("opinions", self.opinions),
            EntitySet("ner", spaced(self.ner)),
            QuestionSet("qa", self.qa),
        )
        return [each for each in sets if each.requests]


class TorchEncoder:
    """The model where the product has its graph."""

    def __init__(self, model: MultiTaskModel, device: str, bf16: bool) -> None:
        self._model = model
        self._device = device
        self._bf16 = bf16

    @torch.inference_mode()
    def run(self, batch: Batch) -> Logits:
        """Compute all heads of all windows of a batch."""
        arrays = (batch.input_ids, batch.attention_mask, batch.token_type_ids)
        with torch.autocast(self._device.partition(":")[0], torch.bfloat16, enabled=self._bf16):
            logits = self._model(*(torch.from_numpy(array).to(self._device) for array in arrays))
        return Logits(*(logits[head].float().cpu().numpy() for head in ("sentiment", "ner", "qa")))


def score(model: MultiTaskModel, sets: Iterable[LabelledSet], device: str, bf16: bool) -> dict[str, float]:
    """Return the official metrics of the sets, as fractions."""
    model.eval()
    manifest = Manifest(
        name="in-training",
        version="0",
        labels={head.name: list(head.labels) for head in HEAD_TYPES},
        window=WINDOW,
        token_types=TOKEN_TYPES,
        temperatures={head.name: 1.0 for head in HEAD_TYPES},
        outputs=OUTPUTS,
        files={},
    )
    bundle = Bundle(pretrained_file("tokenizer.json").parent, manifest)
    inference = Inference(bundle, TorchEncoder(model, device, bf16), _BATCH_TOKENS)
    return {
        name: value
        for each in sets
        for name, value in each.metrics(inference.answer(each.contract, each.requests)).items()
    }
