"""Settings of the training commands: command-line flags, else `NLP_TRAINING_*`, else these defaults."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from training.encoders import EncoderName
from training.schedule import Sampling

DEFAULT_BUNDLE = Path("models/minilm")
WEIGHTS_FILE = "weights.safetensors"
Task = Literal["sentiment", "ner", "qa"]


class Settings(BaseSettings):
    """What every training command needs to know."""

    model_config = SettingsConfigDict(
        env_prefix="NLP_TRAINING_",
        frozen=True,
        populate_by_name=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_avoid_json=True,
    )

    bundle: Path = Field(
        default=DEFAULT_BUNDLE, description="Directory of the bundle; another one leaves the shipped bundle alone."
    )
    mlflow_tracking_uri: str = Field(
        default="",
        validation_alias="MLFLOW_TRACKING_URI",
        description="MLflow server or database (`sqlite:///mlflow.db`) that gets parameters, metrics and files; "
        "nothing is logged when empty.",
    )


class BundleSettings(Settings):
    """`python -m training.bundle`: weights to a bundle."""

    weights: Path | None = Field(
        default=None,
        description="Weights to make the bundle of, with their `.json` beside them; the bundle's own when not given.",
    )
    name: str = Field(default="minilm", description="The bundle's name: every result carries it.")
    version: str = Field(
        default="0.1.0", description="The bundle's version: raise it with new weights, or results of two look alike."
    )
    seeds: tuple[Path, ...] = Field(
        default=(),
        description="Weights of runs that differ in nothing but the seed, at least two: mean and spread of what was "
        "held out of them go into the card, which keeps them.",
    )

    @property
    def source(self) -> Path:
        """The weights file to read."""
        return self.bundle / WEIGHTS_FILE if self.weights is None else self.weights


class MeanSettings(Settings):
    """`python -m training.mean`: several weights to their mean."""

    mean_of: tuple[Path, ...] = Field(
        min_length=2, description="Weights to take the mean of, two or more, each with its `.json` beside it."
    )
    mean: Path = Field(
        default=Path("var/training/mean.safetensors"), description="File of the mean, with its `.json` beside it."
    )


class PrepareSettings(Settings):
    """`python -m training.prepare`: fetches and checks the sets."""

    data: Path | None = Field(
        default=None,
        description="Directory with sst2/, conll2003/, squad1/ and (scoring only) squad2/; the sets are fetched "
        "from the Hugging Face hub when not given.",
    )


class RunSettings(PrepareSettings):
    """What belongs to a training run as a whole."""

    output: Path = Field(
        default=Path("var/training"), description="Directory of the weights that are written after every epoch."
    )
    start: Path | None = Field(
        default=None, description="Weights to go on from; the pretrained encoder with fresh heads when not given."
    )
    resume: bool = Field(
        default=False,
        description="Go on from the output's checkpoint with the same settings and examples; length, decay and the "
        "share of short windows may differ.",
    )


class PipelineSettings(RunSettings):
    """`python -m training.pipeline`: all steps, from the sets to a registered bundle."""

    bundle: Path = Field(default=Path("var/training/bundle"), description="Directory of the new bundle.")
    shipped: Path = Field(
        default=DEFAULT_BUNDLE, description="Bundle that the new one is compared with: no head may get worse."
    )
    name: str = Field(default="minilm", description="The bundle's name: every result carries it.")
    version: str = Field(
        default="0.1.0", description="The bundle's version: raise it with new weights, or results of two look alike."
    )
    quick: bool = Field(
        default=False,
        description="Train on a few hundred examples of each set: minutes to see every step run, and no "
        "good bundle: the gate says so, and that is the end of it.",
    )


class TrainSettings(RunSettings):
    """`python -m training.train`: the public sets to weights."""

    encoder: EncoderName = Field(
        default="minilm", description="`minilm` (22 M parameters, ships) or `distilbert` (66 M: three times as slow)."
    )
    pretrained: Path | None = Field(
        default=None,
        description="Directory with the pretrained encoder's `model.safetensors`; the package (minilm) or the Hugging "
        "Face hub (distilbert) when not given.",
    )
    tasks: tuple[Task, ...] = Field(
        default=("sentiment", "ner", "qa"), min_length=1, description="Heads to train; one alone gives a teacher."
    )
    sampling: Sampling = Field(
        default="square_root",
        description="How often a task has its turn: `round_robin`, or by the size of its set (`proportional`), its "
        "`square_root`, or `annealed` from the first to nearly even. Too even and small sets are learnt by heart.",
    )
    epochs: float = Field(
        default=3, gt=0, description="Length of the run: 1 is as many steps as all sets together have batches."
    )
    batch_rows: int = Field(
        default=32, gt=0, description="Examples of one step; more need memory and a higher learning rate."
    )
    short_windows: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="Fraction of the steps, at the beginning, that read contexts by 128 tokens, on a CPU 2.7 times as "
        "fast as by the bundle's windows, which the others read. With 1 long contexts are read badly.",
    )
    written: int = Field(
        default=1,
        ge=0,
        description="How often the project's own texts stand in a pass of the sets; 0 leaves those alone, and plain "
        "writing is read badly. Many more are learnt by heart.",
    )
    altered_questions: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="Fraction of the questions changed so that their paragraph does not answer them, whose score must "
        "be low: swapped names, opposites, denials. More costs right answers.",
    )
    learning_rate: float = Field(
        default=1.2e-4, gt=0, description="Highest rate, reached after the warm-up; twice as high may diverge."
    )
    warmup: float = Field(
        default=0.06,
        ge=0,
        lt=1,
        description="Fraction of the steps in which the rate rises; without, Adam starts wild.",
    )
    decay: float = Field(
        default=0.94,
        ge=0,
        le=1,
        description="Fraction of the steps, at the end, in which the rate falls to 0. With 0 the run can be made "
        "longer or shorter when it is resumed, and needs a last stretch with another value.",
    )
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Factor on the rate from each layer to the one below; below 0.7 the lowest stand still.",
    )
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW's decay; higher ones blur what was pretrained.")
    average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay per step of a moving average of the weights, which is then what is saved; 0 saves the "
        "weights themselves. Above 1 minus 10 / steps it still remembers the start.",
    )
    teachers: Path | None = Field(
        default=None,
        description="Directory with `<task>.safetensors` of models trained on one task each: their answers are learnt "
        "first, the sets' own more and more (BAM: Clark et al. 2019).",
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Fraction of activations dropped; on a CPU 0.1 takes a fifth more time."
    )
    bf16: bool = Field(default=False, description="Compute in bfloat16: twice as fast where the hardware has it.")
    compile: bool = Field(
        default=False,
        description="Compile the model first (`torch.compile`): pays on long runs on a GPU, and needs a C++ compiler.",
    )
    device: str = Field(default="cpu", description="`cpu`, or `cuda` for a GPU.")
    threads: int | None = Field(default=None, gt=0, description="CPU threads; PyTorch's choice when not given.")
    seed: int = Field(
        default=0, ge=0, description="Order of the examples, their variations and first values of the heads."
    )
    limit: int | None = Field(
        default=None, gt=0, description="Use only so many examples of each set, to see the command run."
    )
    checkpoint_minutes: float = Field(
        default=5.0,
        gt=0,
        description="Time between checkpoints; what is trained after the last one is lost with the machine.",
    )


class MeasureSettings(Settings):
    """What every command that scores a bundle needs to know."""

    data: Path | None = Field(
        default=None,
        description="Directory with sst2/, conll2003/, squad1/ and (scoring only) squad2/; the sets are fetched "
        "from the Hugging Face hub when not given.",
    )
    limit: int | None = Field(
        default=None,
        gt=0,
        description="Score only so many records of each set, for a quick look; such numbers are never written.",
    )
    threads: int = Field(default=1, gt=0, le=64, description="Threads of the encoder; above the cores it gets slower.")


class CalibrateSettings(MeasureSettings):
    """`python -m training.calibrate`: how a bundle's answers are decoded."""


class EvaluateSettings(MeasureSettings):
    """`python -m training.evaluate`: a bundle to `metrics.json`."""

    parts: tuple[Literal["fp32", "int8", "robustness"], ...] = Field(
        default=("fp32", "int8", "robustness"),
        description="What is scored: the fp32 graph, the int8 graph with its calibration, and the int8 graph on texts "
        "unlike the training's. Numbers of a part that is not named stay.",
    )


class GateSettings(MeasureSettings):
    """`python -m training.gate`: a bundle to a verdict."""

    shipped: Path = Field(
        default=DEFAULT_BUNDLE, description="Bundle that the new one is compared with: no head may get worse."
    )
    gate_report: Path = Field(
        default=Path("var/training/gate.json"),
        description="What the gate said of this very bundle; without it the alias stays where it is.",
    )
    max_int8_loss: float = Field(
        default=0.3, ge=0, description="Points that int8 may cost a head; more and the small file is paid with quality."
    )
    max_regression: float = Field(
        default=0.2,
        ge=0,
        description="Points that a head may be below the shipped bundle's. One sentence of SST-2 dev is 0.11: lower, "
        "and chance refuses bundles; higher, and quality leaks away release by release.",
    )
    max_calibration_error: float = Field(
        default=0.08,
        gt=0,
        lt=1,
        description="Expected calibration error of each head on its reported set; above it scores mislead whoever sets "
        "a threshold. Chance makes 0.02 on sets of this size.",
    )
    min_agreement: float = Field(
        default=0.999,
        gt=0,
        le=1,
        description="Share of texts whose answer is the same alone and among batch mates, scores within 0.01.",
    )


class SharingSettings(MeasureSettings):
    """`python -m benchmarks.sharing`: a bundle beside models of one task each."""

    alone: Path = Field(description="Directory with `<task>.safetensors` of models trained on one task each.")


class RegisterSettings(Settings):
    """`python -m training.register`: a bundle to a model version."""

    registered_name: str = Field(
        default="nlp",
        pattern=r"^[^/:@'\"]{1,100}$",
        description="The model in MLflow's registry that gets a version; workers name it, `models:/nlp@champion`.",
    )
    alias: str = Field(
        default="champion",
        pattern=r"^[\w-]{1,100}$",
        description="What the version is called when it passed the gate. Workers that follow it change at their next "
        "start.",
    )
    gate_report: Path = Field(
        default=Path("var/training/gate.json"),
        description="What the gate said of this very bundle; without it the alias stays where it is.",
    )
