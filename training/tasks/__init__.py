"""The heads on the shared encoder, one file a task, in the order of the graph's outputs."""

from training.tasks.base import IGNORED, Head
from training.tasks.ner import NerHead
from training.tasks.qa import QaHead
from training.tasks.sentiment import SentimentHead

HEAD_TYPES: tuple[type[Head], ...] = (SentimentHead, NerHead, QaHead)

__all__ = ["HEAD_TYPES", "IGNORED", "Head", "NerHead", "QaHead", "SentimentHead"]
