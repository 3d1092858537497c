"""The model card: what a bundle is, in words, made from its manifest and metrics."""

import json
from statistics import fmean, stdev

from schemas.manifest import FLOAT_MODEL_FILE, METRICS_FILE, QUANTIZED_MODEL_FILE, TOKENIZER_FILE, Manifest
from training.encoders import PRESETS
from training.reliability import BINS
from training.settings import WEIGHTS_FILE
from training.weights import OUR_TEXTS, lineage

Metrics = dict[str, dict[str, float]]
"""`metrics.json`: section to metric name to fraction."""

SECTIONS = ("fp32", "int8", "calibration", "robustness", "product")
"""The sections in the order in which they are written; the last by `python -m benchmarks.quality`."""

METRIC_TITLES = {
    "sentiment_accuracy": "SST-2 dev, accuracy",
    "ner_f1": "CoNLL-2003 test, entity F1",
    "qa_em": "SQuAD 1.1 dev, exact match",
    "qa_f1": "SQuAD 1.1 dev, F1",
}
HELD_OUT_TITLES = {
    "sentiment_accuracy": "SST-2 accuracy",
    "sentiment_accuracy_plain": "our opinions, accuracy",
    "ner_f1": "CoNLL-2003 F1",
    "qa_em": "SQuAD exact match",
    "qa_f1": "SQuAD F1",
}
"""What is held out of the training, by which its choices are judged: sentences and articles of the training files, and
CoNLL-2003 dev."""
CALIBRATION_TITLES = {
    "sentiment": "sentiment label, SST-2 dev",
    "ner": "entity, CoNLL-2003 test",
    "qa": "answer (word F1 of a half or more), SQuAD 1.1 dev",
}
ROBUSTNESS_TITLES = {
    "ner_f1_typed": "CoNLL-2003 test with marks as people type them, entity F1",
    "ner_f1_lower": "CoNLL-2003 test in small letters, entity F1",
    "ner_f1_upper": "CoNLL-2003 test in capitals, entity F1",
    "ner_f1_no_punctuation": "CoNLL-2003 test without punctuation, entity F1",
    "ner_f1_long": "CoNLL-2003 test, 16 sentences a text, entity F1",
    "sentiment_accuracy_plain": "64 opinions of several plain sentences (ours), accuracy",
    "ner_f1_plain": "letters, chats, notices and news (ours), entity F1",
    "qa_em_plain": "questions on paragraphs of all kinds (ours), exact match",
    "qa_f1_plain": "questions on paragraphs of all kinds (ours), F1",
    "qa_auroc_unanswerable": "SQuAD 2.0 dev, score tells answerable questions (area under ROC)",
}

_CORE_W = 10
"""Watts of one busy server core with its share of memory and cooling: the usual order of magnitude."""


def tables(metrics: Metrics) -> list[tuple[str, str]]:
    """Return title and Markdown table of all that was measured, percent; a dash for what was not."""
    columns = [name for name in ("fp32", "int8", "product") if name in metrics]
    parts = []
    if columns:
        rows = [[title, *(_percent(metrics[each], name) for each in columns)] for name, title in METRIC_TITLES.items()]
        parts.append(("Quality", markdown_table(["set", *columns], rows)))
    if errors := metrics.get("calibration"):
        rows = [
            [title, *(_percent(errors, f"{head}_ece_{when}") for when in ("before", "after"))]
            for head, title in CALIBRATION_TITLES.items()
        ]
        parts.append(
            ("Calibration", markdown_table(["expected calibration error of a score", "before", "after"], rows))
        )
    if found := metrics.get("robustness"):
        rows = [[title, _percent(found, name)] for name, title in ROBUSTNESS_TITLES.items()]
        parts.append(("Texts unlike the training's", markdown_table(["texts", "int8"], rows)))
    return parts


def write_card(manifest: Manifest, metrics: Metrics) -> str:
    """Return the card as Markdown."""
    window = manifest.window
    labels = "\n".join(
        f"| {head} | `{manifest.outputs[head]}` | {', '.join(names)} |" for head, names in manifest.labels.items()
    )
    measured = "\n\n".join(f"### {title}\n\n{table}" for title, table in tables(metrics)) or "Not measured yet."
    return f"""# {manifest.name} {manifest.version}

One encoder, {_encoder(manifest)}, with three linear heads: sentiment, named entities, question answering.
Made by `make bundle`, scored by `make evaluate`; this card is written by both.

| head | output | labels |
|---|---|---|
{labels}

## Results

Through the product's own tokenizer and decoding, on the whole sets, percent. The sets decided nothing: weights are
chosen, temperatures and the penalty of long answers fitted on CoNLL-2003 dev and on articles and sentences held out of
the training files; the temperature of answers on half of SQuAD dev's articles, and its calibration error is that of the
other half (`training/splits.py`).

{measured}

int8 is what is served: weights with a scale for each channel, activations with a scale for each token. "product" is the
same sets as records in and records out, through a Kafka broker and a worker process. Calibration: {BINS} bins of equal
width, before at temperature 1, after at {_temperatures(manifest)}. Of the training's
texts with names one in twelve or fewer are in small letters, in capitals, or without marks.
{_spread(manifest)}
## What a score means

The chance that a sentiment's label, an entity's words and type, an answer's span are right (an answer give or take some
words: a word F1 of a half or more with an annotator's), {_calibrated(manifest)}. An entity is as sure as its least sure
word. A question that the text does not answer gets an answer too, with a lower score: how much lower says the last
line of the robustness table (50 would be no better than chance).

## Training

{_effort(manifest)}

```json
{json.dumps(manifest.training, indent=2, ensure_ascii=False)}
```

## How it reads

Texts are read whole, {window.text_tokens} tokens at a time, neighbouring windows sharing {window.text_stride}; contexts
of questions {window.tokens} at a time, sharing {window.stride}. Of a question the first {window.question_tokens} tokens
are read; an answer has at most {window.answer_tokens}, and each after the first takes {manifest.answer_length_penalty}
off its logit.
The graph has {manifest.token_types} token types: segment plus twice the case of the word.

## Limits

English only. {_learnt(manifest)}
Sentiment is never neutral: a text without an opinion gets one. An answer is always given, also where the context holds
none. Nobody has looked at how the model treats groups of people: do not decide about people by it.

## How to make it again

```
make bundle WEIGHTS={WEIGHTS_FILE} DATA=directory   # the same weights give the same graph to the byte
make evaluate DATA=directory                        # writes the results above
make gate DATA=directory                            # int8 against fp32, this bundle against the shipped one, and more
make train DATA=directory                           # new weights, and a bundle of them
```

## Files

| file | what |
|---|---|
| `{QUANTIZED_MODEL_FILE}` | the int8 graph that is served |
| `{TOKENIZER_FILE}` | WordPiece, uncased |
| `manifest.json` | what the worker must know; sha256 of the files |
| `{METRICS_FILE}` | the results above, as fractions |
| `{WEIGHTS_FILE}`, `weights.json` | the trained weights in fp16 without the word embeddings, and their history |
| `{FLOAT_MODEL_FILE}` | the fp32 graph, made on demand by `python -m training.export` |

The weights start from `sentence-transformers/all-MiniLM-L6-v2` (Apache 2.0). Of the sets they learnt from, SQuAD is
CC BY-SA 4.0 (Rajpurkar et al. 2016), SST-2 (Socher et al. 2013) states no licence, and the news texts of CoNLL-2003
(Tjong Kim Sang and De Meulder 2003) are for research only. None of their text is in this bundle.
"""


def _percent(values: dict[str, float], name: str) -> str:
    value = values.get(name)
    return "–" if value is None else f"{100 * value:.2f}"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table that also reads on a terminal."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def _temperatures(manifest: Manifest) -> str:
    return ", ".join(f"{value} ({head})" for head, value in manifest.temperatures.items())


def _encoder(manifest: Manifest) -> str:
    """Return what the encoder is: that of the settings of its training, MiniLM where an older history has none."""
    preset = PRESETS[manifest.training.get("settings", {}).get("encoder", "minilm")]
    return f"{preset.title} ({preset.layers} layers, {preset.width} wide, uncased)"


def _calibrated(manifest: Manifest) -> str:
    if set(manifest.temperatures.values()) == {1.0}:
        return "as far as the model knows: its temperatures are not fitted"
    return "calibrated with a temperature for each head"


def _spread(manifest: Manifest) -> str:
    """Return mean and spread over the seeds that the history holds (`training.weights.read_seeds`), else nothing."""
    seeds = manifest.training.get("seeds")
    if seeds is None:
        return ""
    runs: list[dict[str, float]] = list(seeds["held_out"].values())
    rows = []
    for name, title in HELD_OUT_TITLES.items():
        values = [100 * each[name] for each in runs if name in each]
        if values:
            ends = f"{min(values):.2f}–{max(values):.2f}"
            rows.append([title, f"{fmean(values):.2f}", f"{stdev(values):.2f}", ends])
    table = markdown_table(["held out", "mean", "standard deviation", "range"], rows)
    return f"""
### Over {len(runs)} seeds

How much of a difference is chance: runs of {seeds["epochs"]} epochs that differ in their seed only, percent.

{table}
"""


def _learnt(manifest: Manifest) -> str:
    """Return what was learnt from and what that leaves hard, as far as the history says."""
    if any(OUR_TEXTS in data for each in lineage(manifest.training) for data in each.get("data", {}).values()):
        return """Beside film reviews, news of 1996 and encyclopaedia articles it was learnt from texts that a large
language model wrote for this project (`training/written/`); "ours" above are others of them, so of like making."""
    return (
        "Sentiment was learnt from film reviews, entities from news of 1996: newer names and other styles are harder."
    )


def _effort(manifest: Manifest) -> str:
    """Return what the training took, as far as its history says."""
    hours = sum(each.get("processor_hours", 0) for each in lineage(manifest.training))
    if not hours:
        return "What it took and how it was done:"
    kwh = f"{_CORE_W * hours / 1000:.2f}"
    return f"""{hours:.2f} hours of processor time, some {kwh} kWh at {_CORE_W} W a busy core (an estimate: nothing was
metered). How it was done:"""
