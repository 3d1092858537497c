"""The four things that can be asked, each with its records and topics; all else derives from this tuple."""

from dataclasses import dataclass

from schemas.base import Record
from schemas.document import DocumentRequest, EnrichedDocument
from schemas.limits import AnyRequest
from schemas.ner import NerRequest, NerResult
from schemas.qa import QaRequest, QaResult
from schemas.sentiment import SentimentRequest, SentimentResult
from schemas.topics import Topics


@dataclass(frozen=True, slots=True)
class Contract:
    """What is asked by a request type on a topic, and answered by a result type on another.

    `name` is the metric label and the HTTP route; the topics are named by their field in `Topics`.
    """

    name: str
    request_type: type[AnyRequest]
    result_type: type[Record]
    request_topic: str
    result_topic: str

    def requests(self, topics: Topics) -> str:
        """Return the name of the topic that carries the requests."""
        name: str = getattr(topics, self.request_topic)
        return name

    def results(self, topics: Topics) -> str:
        """Return the name of the topic that carries the results."""
        name: str = getattr(topics, self.result_topic)
        return name


SENTIMENT = Contract("sentiment", SentimentRequest, SentimentResult, "sentiment_requests", "sentiment_results")
NER = Contract("ner", NerRequest, NerResult, "ner_requests", "ner_results")
QA = Contract("qa", QaRequest, QaResult, "qa_requests", "qa_results")
DOCUMENT = Contract("document", DocumentRequest, EnrichedDocument, "documents", "enriched")

CONTRACTS: tuple[Contract, ...] = (SENTIMENT, NER, QA, DOCUMENT)
