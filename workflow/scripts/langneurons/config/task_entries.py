"""What the entries of tasks and tunings mean: every key, its unit and its default."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_serializer, model_validator

from .fields import Frozen, HubSource, Language, LanguagePath, Seed


class Training(Frozen):
    """QLoRA fine-tuning (paper, section 4 and appendix; methods.md 2.2)."""

    rank: int = Field(64, ge=1)
    alpha: float = Field(128, gt=0, description="LoRA scale is alpha / rank")
    attention_modules: tuple[Literal["q", "k", "v", "o"], ...] = Field(
        ("q", "k", "v", "o"), min_length=1
    )
    learning_rate: float = Field(1e-5, gt=0)
    batch_size: int = Field(8, ge=1, description="examples per optimiser step")
    epochs: float = Field(2, gt=0)
    warmup_ratio: float = Field(0.01, ge=0, le=1)
    warmup_of: Literal["epoch", "training"] = Field(
        "epoch", description="the released code takes the ratio of one epoch's steps"
    )
    adam_betas: tuple[float, float] = (0.95, 0.999)
    weight_decay: float = Field(0.1, ge=0)
    max_gradient_norm: float = Field(10.0, gt=0)
    checkpoint_every: int = Field(
        500,
        ge=1,
        description="optimiser steps between checkpoints; results do not change",
    )


class TaskData(Frozen):
    """Where the items of a task come from: the hub, or files with {lang}.

    Training items are needed only where a tuning of the grid trains on the task.
    """

    hub: HubSource | None = None
    train_hub: HubSource | None = Field(
        None, description="training items from another data set; null: the same"
    )
    train: LanguagePath | None = Field(
        None,
        description="path of the training file, with {lang}; null where the task is "
        "evaluated on tuning base only",
    )
    test: LanguagePath | None = Field(
        None, description="path of the test file, with {lang}"
    )

    @model_validator(mode="after")
    def _one_source(self) -> TaskData:
        if (self.test is None) == (self.hub is None) or (self.train and self.hub):
            raise ValueError(
                "give either 'hub', or 'test' and, if a tuning trains on it, 'train'"
            )
        if self.train_hub and self.hub is None:
            raise ValueError("'train_hub' goes with 'hub'")
        return self


class Task(Frozen):
    """A catalogue entry of ``tasks:``; ``kind`` is a module of tasks/."""

    kind: str
    data: TaskData
    source_language: Language = Field("en", description="language of the training data")
    languages: tuple[Language, ...] = Field(
        min_length=1, description="evaluation languages, zero-shot"
    )
    train_fraction: float = Field(
        0.25, gt=0, le=1, description="the first so many of the training rows (paper)"
    )
    test_fraction: float = Field(
        1.0, gt=0, le=1, description="the last so many of the test rows"
    )
    test_items: int | None = Field(
        None, ge=1, description="a fixed random sample of so many items; null: all"
    )
    test_seed: Seed = 0
    statistics: tuple[str, ...] | None = Field(
        None, description="null: grid.statistics"
    )
    control_statistics: tuple[str, ...] | None = Field(
        None, description="for random neurons; null: grid.control_statistics"
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="checked by the task's own Parameters"
    )
    training: Training = Training()
    training_by_model: dict[str, Training] = Field(
        default_factory=dict, description="model -> keys of 'training' that differ"
    )

    @field_serializer("training_by_model")
    def _only_what_differs(self, given: dict[str, Training]) -> dict[str, Any]:
        """Write the keys that are given; a default would count as a change."""
        return {
            name: entry.model_dump(exclude_unset=True) for name, entry in given.items()
        }


Kind = Literal["none", "attention", "all_mlp", "masked_lora", "subnetwork_rows"]


class Tuning(Frozen):
    """A catalogue entry of ``tunings:``: which weights fine-tuning may change."""

    kind: Kind = Field(
        description="nothing (entry base only: the model as it is, not fine-tuned); "
        "LoRA on the attention projections; the same and on all neurons; the same and "
        "on selected neurons only; or the selected neurons' own rows"
    )
    attention: bool = Field(
        True, description="LoRA on the attention projections too; not all kinds"
    )
    mlp_targets: Literal["gate", "gate_up", "gate_up_down"] = Field(
        "gate", description="MLP projections that change (paper: the gate)"
    )
    training: Training = Field(
        Training(), description="keys of the task's 'training' that differ"
    )

    @field_serializer("training")
    def _only_what_differs(self, given: Training) -> dict[str, Any]:
        """Write the keys that are given; a default would count as a change."""
        return given.model_dump(exclude_unset=True)

    @property
    def needs_neurons(self) -> bool:
        return self.kind in ("masked_lora", "subnetwork_rows")

    @model_validator(mode="after")
    def _no_key_is_idle(self) -> Tuning:
        unread = sorted(self.model_fields_set - {"kind"})
        if self.kind == "none" and unread:
            raise ValueError(
                "kind none tunes nothing, so nothing reads "
                f"{', '.join(map(repr, unread))}; leave it out"
            )
        if self.kind == "attention" and not self.attention:
            raise ValueError("kind attention without attention changes nothing")
        if self.kind == "attention" and "mlp_targets" in self.model_fields_set:
            raise ValueError("kind attention changes no MLP; leave out 'mlp_targets'")
        return self


class NeuronTuning(Frozen):
    """Fine-tuning of selected neurons (paper, Tables 3, 7 and 8; methods.md 2.1)."""

    tasks: tuple[str, ...] = Field(min_length=1)
    selections: tuple[str, ...] = Field(
        min_length=1, description="whose neurons, for the languages their set covers"
    )
    languages: tuple[Literal["source", "target", "both"], ...] = Field(
        ("source", "target", "both"),
        min_length=1,
        description="neurons of the training language, the evaluation language, both",
    )
    entries: tuple[str, ...] = Field(
        ("masked",), min_length=1, description="entries of tunings, tried with each"
    )
    baselines: tuple[str, ...] = Field(
        ("attention",),
        description="tunings without neurons, to set them against: each other tuning "
        "against attention, attention (or, without it, each tuning) against base",
    )
    controls: tuple[str, ...] = Field(
        (), description="random selections, tuned for the evaluation language"
    )
    statistics: tuple[str, ...] = Field(
        (), description="interventions on the tuned models, with the same selection"
    )
    evaluate: tuple[Language, ...] | None = Field(
        None, description="evaluation languages; null: the task's"
    )
