"""What the entries of tasks and tunings mean: every key, its unit and its default."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_serializer, model_validator

from . import user_paths
from .fields import CodedPath, Codes, Frozen, HubSource, Language, LocalPath, Seed
from .names import languages_of


class Training(Frozen):
    """QLoRA fine-tuning (paper, section 4 and appendix; methods.md 2.2)."""

    rank: int = Field(64, ge=1, description="of LoRA")
    alpha: float = Field(128, gt=0, description="LoRA scale is alpha / rank")
    attention_modules: tuple[Literal["q", "k", "v", "o"], ...] = Field(
        ("q", "k", "v", "o"),
        min_length=1,
        description="projections of attention that get LoRA: any of `q`, `k`, `v`, `o`",
    )
    learning_rate: float = Field(
        1e-5, gt=0, description="at its peak, then linear to 0"
    )
    batch_size: int = Field(8, ge=1, description="examples per optimiser step")
    epochs: float = Field(2, gt=0, description="passes over the training items")
    warmup_ratio: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of the steps in which the learning rate rises",
    )
    warmup_of: Literal["epoch", "training"] = Field(
        "epoch",
        description="of which steps that share is:\n`epoch`: of one epoch (released "
        "code)\n`training`: of all (the paper's text)",
    )
    adam_betas: tuple[float, float] = Field((0.95, 0.999), description="of AdamW")
    weight_decay: float = Field(0.1, ge=0, description="of AdamW")
    max_gradient_norm: float = Field(
        10.0, gt=0, description="gradients are clipped to it"
    )
    checkpoint_every: int = Field(
        500,
        ge=1,
        description="optimiser steps between checkpoints; results do not change",
    )


class TaskData(Frozen):
    """Where the items of a task come from: the hub, files, or a dictionary.

    Either ``hub``, or ``test`` and, where a tuning of the grid trains on the task,
    ``train``; or ``dictionary``.
    """

    hub: HubSource | None = Field(
        None, description="data set on the hub; null where files are given"
    )
    train_hub: HubSource | None = Field(
        None, description="training items from another data set; null: the same"
    )
    train: CodedPath | None = Field(
        None,
        description="training file, `{lang}` is replaced, and `{code}` by what `codes` "
        "says; its layout is the task's; null where the task is evaluated on tuning "
        "base only",
    )
    test: CodedPath | None = Field(
        None,
        description="test file, likewise; several languages need `{lang}` or `{code}` "
        "in it, unless a file of the kind has all languages (include, mlama, "
        "xwinograd)",
    )
    test_split: str | None = Field(
        None,
        pattern=r"^\w+$",
        description="what the data set on the hub calls the split of its test items; "
        "null: test",
    )
    dictionary: str | None = Field(
        None,
        description="catalogue entry whose test words are the items, of tasks on words "
        "(bli); null: any other task",
    )
    codes: Codes = Field(
        default_factory=dict,
        description="what the source calls each language, where it differs from its "
        "code here (`en: eng_Latn`); stands for `{code}` in `hub.config` and in files",
    )

    def files(self, split: str, lang: str) -> list[str]:
        """List the user's files of a split and language; none where there are none.

        Args:
            split: ``train`` or ``test``.
            lang: a language; of a pair there is a file of each of the two.
        """
        given = self.train if split == "train" else self.test
        if given is None:
            return []
        return [given.format(lang=x, code=self.code(x)) for x in languages_of(lang)]

    def hub_of(self, split: str) -> HubSource | None:
        """Return the data set on the hub that a split is of; None for files."""
        return (self.train_hub or self.hub) if split == "train" else self.hub

    def code(self, lang: str) -> str:
        """Return what the source calls a language."""
        return self.codes.get(lang, lang)

    @model_validator(mode="after")
    def _one_source(self) -> TaskData:
        given = [self.test, self.hub, self.dictionary]
        if given.count(None) != 2 or (self.train and self.test is None):
            raise ValueError(
                "give either 'hub', or 'test' and, if a tuning trains on it, 'train', "
                "or 'dictionary'"
            )
        if self.train_hub and self.hub is None:
            raise ValueError("'train_hub' goes with 'hub'")
        if self.test_split and self.hub is None:
            raise ValueError("'test_split' goes with 'hub'; a file is one split")
        return self

    @model_validator(mode="after")
    def _codes_are_of_one_language(self) -> TaskData:
        if len(set(self.codes.values())) < len(self.codes):
            raise ValueError("'codes' gives two languages the same code")
        named = [source.config for source in (self.hub, self.train_hub) if source]
        coded = any(map(user_paths.has_code, [*named, self.train, self.test]))
        if coded and not self.codes:
            raise ValueError(
                "{code} stands for what 'codes' says, but there are none; {lang} is "
                "the code of the language here"
            )
        if self.codes and not coded and self.hub is None:
            raise ValueError(
                "'codes' are what {code} stands for in files; nothing says {code}"
            )
        return self


class Task(Frozen):
    """What is learnt and tested: a kind, which is a file of tasks/, with data."""

    kind: str = Field(description="a file of `tasks/`")
    data: TaskData = Field(description="where its items come from")
    source_language: Language = Field("en", description="language of the training data")
    languages: tuple[Language, ...] = Field(
        (),
        description="evaluation languages, zero-shot; none of a task on pairs, which "
        "the experiment names",
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
    test_seed: Seed = Field(0, description="of that sample")
    parameters: dict[str, Any] = Field(default_factory=dict, description="of that kind")
    training: Training = Field(Training(), description="how adapters are trained")
    training_by_model: dict[str, Training] = Field(
        default_factory=dict, description="keys of `training` that differ, by model"
    )

    @property
    def on_pairs(self) -> bool:
        """Whether it is tested on pairs, which experiments name (checked by kind)."""
        return not self.languages

    @field_serializer("training_by_model")
    def _only_what_differs(self, given: dict[str, Training]) -> dict[str, Any]:
        """Write the keys that are given; a default would count as a change."""
        return {
            name: entry.model_dump(exclude_unset=True) for name, entry in given.items()
        }


Kind = Literal[
    "none", "adapter", "attention", "all_mlp", "masked_lora", "subnetwork_rows"
]
UNTRAINED = ("none", "adapter")
"""Kinds of tunings that are not trained here, and so have no seed."""
FOREIGN = ("path", "id", "revision", "base", "labels")
"""Keys of kind ``adapter``."""


class Tuning(Frozen):
    """Which weights fine-tuning may change."""

    kind: Kind = Field(
        description="which weights change:\n"
        "`none`: none, the model as it is; entry base only, with no other key\n"
        "`adapter`: those of an adapter that somebody else trained; it is only "
        "evaluated\n"
        "`attention`: LoRA on the attention projections\n"
        "`all_mlp`: and on the MLP of every neuron\n"
        "`masked_lora`: and on that of selected neurons only; dW is zero elsewhere\n"
        "`subnetwork_rows`: the selected neurons' own rows and columns, at full rank"
    )
    attention: bool = Field(
        True,
        description="LoRA on the attention projections too; of kind attention always",
    )
    mlp_targets: Literal["gate", "gate_up", "gate_up_down"] = Field(
        "gate",
        description="MLP projections that change:\n`gate`: the gate (paper)\n"
        "`gate_up`: and the up projection\n`gate_up_down`: and the down projection",
    )
    training: Training = Field(
        Training(), description="keys of the task's `training` that differ"
    )
    path: LocalPath | None = Field(
        None,
        description="folder of a PEFT adapter, of kind adapter: `adapter_config.json` "
        "and `adapter_model.safetensors`",
    )
    id: str | None = Field(
        None,
        pattern=r"^[\w.-]+/[\w.-]+$",
        description="owner/name of such an adapter on the hub",
    )
    revision: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{40}$",
        description="full commit hash of it; a branch or tag would not be reproducible",
    )
    base: str | None = Field(
        None,
        description="what the adapter calls its base model, where that is another name "
        "of the same weights; null: it is the `hub` source of the model",
    )
    labels: tuple[str, ...] | None = Field(
        None,
        min_length=2,
        description="classes of the adapter's head in its own order, in the task's "
        "words; null: the task's order",
    )

    @field_serializer("training")
    def _only_what_differs(self, given: Training) -> dict[str, Any]:
        """Write the keys that are given; a default would count as a change."""
        return given.model_dump(exclude_unset=True)

    @property
    def needs_neurons(self) -> bool:
        return self.kind in ("masked_lora", "subnetwork_rows")

    @model_validator(mode="after")
    def _an_adapter_comes_from_one_place(self) -> Tuning:
        given = self.model_fields_set
        if self.kind != "adapter":
            if unread := [key for key in FOREIGN if getattr(self, key) is not None]:
                raise ValueError(
                    f"kind {self.kind} is trained here, so nothing reads "
                    f"{', '.join(map(repr, unread))}; of somebody else's adapter the "
                    "kind is adapter"
                )
            return self
        if (self.path is None) == (self.id is None):
            raise ValueError(
                "kind adapter: give 'path', a local folder, or 'id' and 'revision', "
                "a repository on the hub"
            )
        if (self.id is None) != (self.revision is None):
            raise ValueError(
                "'id' and 'revision' go together: the repository on the hub, and the "
                "full commit hash (40 hexadecimal digits) of what is fetched from it"
            )
        if unread := sorted(given & {"attention", "mlp_targets", "training"}):
            raise ValueError(
                "kind adapter is trained already, so nothing reads "
                f"{', '.join(map(repr, unread))}; leave it out"
            )
        return self

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
