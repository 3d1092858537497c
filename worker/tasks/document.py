"""Documents: all that is asked of one text, with one pass for sentiment and entities together."""

from schemas import DOCUMENT, Answer, DocumentRequest, EnrichedDocument
from worker.tasks.base import Encoded, Task
from worker.tasks.ner import find_entities
from worker.tasks.qa import find_answer
from worker.tasks.sentiment import find_sentiment
from worker.tokenizer import Passage


class DocumentTask(Task[DocumentRequest, EnrichedDocument]):
    """Enrich a text with its sentiment, its entities and the answers to questions."""

    contract = DOCUMENT

    def passages(self, request: DocumentRequest) -> list[Passage]:
        """Return the text once for all its heads, then once with each question."""
        alone = [Passage(request.text)] if request.tasks else []
        return alone + [Passage(request.text, question) for question in request.questions]

    def decode(self, record_id: str, request: DocumentRequest, encoded: list[Encoded]) -> EnrichedDocument:
        """Return the text with what was asked of it."""
        asked = encoded[1:] if request.tasks else encoded
        return EnrichedDocument(
            id=record_id,
            text=request.text,
            sentiment=find_sentiment(encoded[0], self.manifest) if "sentiment" in request.tasks else None,
            entities=find_entities(encoded[0], self.manifest) if "ner" in request.tasks else None,
            answers=[self._answer(question, each) for question, each in zip(request.questions, asked, strict=True)],
        )

    def _answer(self, question: str, encoded: Encoded) -> Answer:
        found = find_answer(encoded, self.manifest)
        return Answer(
            question=question,
            answer=found.text,
            start_char=found.start_char,
            end_char=found.end_char,
            score=found.score,
            truncated=found.truncated,
        )
