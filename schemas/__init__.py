"""The wire contract: records, headers, topics, errors and limits. Imports nothing else of ours."""

from schemas.base import Record
from schemas.connection import KafkaConnection
from schemas.contracts import CONTRACTS, DOCUMENT, NER, QA, SENTIMENT, Contract
from schemas.document import Answer, DocumentRequest, EnrichedDocument
from schemas.errors import NlpError, RecordError, ServiceError
from schemas.limits import AnyRequest, Limits
from schemas.manifest import Manifest
from schemas.ner import Entity, NerRequest, NerResult
from schemas.qa import QaRequest, QaResult
from schemas.sentiment import Sentiment, SentimentRequest, SentimentResult
from schemas.topics import Topics, TopicSpec

__all__ = [
    "CONTRACTS",
    "DOCUMENT",
    "NER",
    "QA",
    "SENTIMENT",
    "Answer",
    "AnyRequest",
    "Contract",
    "DocumentRequest",
    "EnrichedDocument",
    "Entity",
    "KafkaConnection",
    "Limits",
    "Manifest",
    "NerRequest",
    "NerResult",
    "NlpError",
    "QaRequest",
    "QaResult",
    "Record",
    "RecordError",
    "Sentiment",
    "SentimentRequest",
    "SentimentResult",
    "ServiceError",
    "TopicSpec",
    "Topics",
]
