"""The model card: what a bundle is, in words, made from its manifest and metrics."""

import json

from schemas.manifest import FLOAT_MODEL_FILE, METRICS_FILE, QUANTIZED_MODEL_FILE, TOKENIZER_FILE, Manifest
from training.settings import WEIGHTS_FILE

Metrics = dict[str, dict[str, float]]
"""Precision ("fp32", "int8") to metric name to fraction."""

METRIC_TITLES = {
    "sentiment_accuracy": "SST-2 dev, accuracy",
    "ner_f1": "CoNLL-2003 test, entity F1",
    "qa_em": "SQuAD 1.1 dev, exact match",
    "qa_f1": "SQuAD 1.1 dev, F1",
}


def write_card(manifest: Manifest, metrics: Metrics) -> str:
    """Return the card as Markdown; metrics that were not measured show as a dash."""
    window = manifest.window
    labels = "\n".join(
        f"| {head} | `{manifest.outputs[head]}` | {', '.join(names)} |" for head, names in manifest.labels.items()
    )
    return f"""# {manifest.name} {manifest.version}

One MiniLM encoder (6 layers, 384 wide, uncased) with three linear heads: sentiment, named entities, question answering.
Made by `make bundle`, scored by `make evaluate`; this card is written by both.

| head | output | labels |
|---|---|---|
{labels}

## Quality

Scored through the product's own tokenizer and decoding, percent:

| set | fp32 | int8 |
|---|---|---|
{_metric_rows(metrics)}

int8 is what is served: weights with a scale for each channel, activations with a scale for each token.

## Where it comes from

```json
{json.dumps(manifest.training, indent=2, ensure_ascii=False)}
```

Temperatures are {_temperatures(manifest)}: scores are not calibrated.

## How it reads

Texts are read whole, {window.tokens} tokens at a time, neighbouring windows sharing {window.stride}.
Of a question the first {window.question_tokens} tokens are read; an answer has at most {window.answer_tokens}.
The graph has {manifest.token_types} token types: segment plus twice the case of the word.

## Limits

English only. Sentiment was learnt from film reviews and is never neutral; entities from news of 1996, so newer names
and other styles are harder; an answer is always given, also where the context holds none, then with a low score.

## Files

| file | what |
|---|---|
| `{QUANTIZED_MODEL_FILE}` | the int8 graph that is served |
| `{TOKENIZER_FILE}` | WordPiece, uncased |
| `manifest.json` | what the worker must know; sha256 of the files |
| `{METRICS_FILE}` | the table above, as fractions |
| `{WEIGHTS_FILE}`, `weights.json` | the trained weights in fp16 without the word embeddings, and their history |
| `{FLOAT_MODEL_FILE}` | the fp32 graph, made on demand by `python -m training.export` |

The weights start from `sentence-transformers/all-MiniLM-L6-v2` (Apache 2.0). Of the sets they learnt from, SQuAD is
CC BY-SA 4.0 (Rajpurkar et al. 2016), SST-2 (Socher et al. 2013) states no licence, and the news texts of CoNLL-2003
(Tjong Kim Sang and De Meulder 2003) are for research only. None of their text is in this bundle.
"""


def _metric_rows(metrics: Metrics) -> str:
    return "\n".join(
        f"| {title} | {_percent(metrics, 'fp32', name)} | {_percent(metrics, 'int8', name)} |"
        for name, title in METRIC_TITLES.items()
    )


def _percent(metrics: Metrics, precision: str, name: str) -> str:
    value = metrics.get(precision, {}).get(name)
    return "–" if value is None else f"{100 * value:.2f}"


def _temperatures(manifest: Manifest) -> str:
    return ", ".join(f"{value} ({head})" for head, value in manifest.temperatures.items())
