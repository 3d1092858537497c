"""Settings of the training commands: command-line flags, else `NLP_TRAINING_*`, else these defaults."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_BUNDLE = Path("models/minilm")
WEIGHTS_FILE = "weights.safetensors"


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
        description="MLflow server or directory that gets parameters, metrics and files; nothing is logged when empty.",
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

    @property
    def source(self) -> Path:
        """The weights file to read."""
        return self.bundle / WEIGHTS_FILE if self.weights is None else self.weights


class TrainSettings(Settings):
    """`python -m training.train`: the public sets to weights."""

    output: Path = Field(
        default=Path("var/training"), description="Directory of the weights that are written after every epoch."
    )
    data: Path | None = Field(
        default=None,
        description="Directory with sst2/, conll2003/ and squad1/; the sets are fetched from the Hugging Face hub when "
        "not given.",
    )
    start: Path | None = Field(
        default=None, description="Weights to go on from; the pretrained encoder with fresh heads when not given."
    )
    epochs: int = Field(
        default=3, gt=0, description="Times every example is seen; past 4 the small NER set is learnt by heart."
    )
    batch_rows: int = Field(
        default=32, gt=0, description="Windows of one step; more need memory and a higher learning rate."
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
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW's decay; higher ones blur what was pretrained.")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Fraction of activations dropped; on CPU any above 0 doubles the time."
    )
    bf16: bool = Field(default=False, description="Compute in bfloat16: twice as fast where the hardware has it.")
    device: str = Field(default="cpu", description="`cpu`, or `cuda` for a GPU.")
    seed: int = Field(default=0, description="Order of the batches and first values of the heads.")
    limit: int | None = Field(
        default=None, gt=0, description="Use only so many examples of each set, to see the command run."
    )


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
        description="What the version is called when it passed the gate. Workers that follow it change at their next start.",
    )
    gate_report: Path = Field(
        default=Path("var/training/gate.json"),
        description="What the gate said of this very bundle; without it the alias stays where it is.",
    )


class EvaluateSettings(Settings):
    """`python -m training.evaluate`: a bundle to `metrics.json`."""

    data: Path | None = Field(
        default=None,
        description="Directory with sst2/, conll2003/ and squad1/; the sets are fetched from the Hugging Face hub when "
        "not given.",
    )
    precisions: tuple[Literal["fp32", "int8"], ...] = Field(
        default=("fp32", "int8"), description="Which graphs are scored; metrics of one that is not named stay."
    )
    limit: int | None = Field(
        default=None,
        gt=0,
        description="Score only so many records of each set, for a quick look; such numbers are never written.",
    )
    threads: int = Field(default=1, gt=0, le=64, description="Threads of the encoder; above the cores it gets slower.")
