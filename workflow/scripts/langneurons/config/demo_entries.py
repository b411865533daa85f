"""What ``demo_world`` and the ``demo`` blocks of models mean: every key and default."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .fields import Frozen, Language, PairName, Seed
from .names import Pair


class Planting(Frozen):
    """Neurons that continued training makes control the language, and its text.

    In some rows of a batch their outputs are overwritten by what says the language of
    the next word, so that the model comes to read them; in the others they are trained
    to be on in the language of the last word, and off in the rest.
    """

    layers: tuple[int, ...] = Field(
        (2, 3), min_length=1, description="layers that get neurons, from 0"
    )
    neurons: int = Field(
        16,
        ge=1,
        description="per language and layer; the first language has the first ones",
    )
    on: float = Field(
        2.0, description="gate pre-activation that they reach in their own language"
    )
    off: float = Field(-3.0, description="the highest that they reach in the others")
    weight: float = Field(3.0, ge=0, description="of what they lack, in the loss")
    forced: float = Field(
        0.3, ge=0, le=1, description="share of the rows where outputs are overwritten"
    )
    value: float = Field(
        2.0, description="written for the language of the next word; others get 0"
    )
    both: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of these rows where the last word's language is on, too",
    )
    translations: float = Field(
        0.45, ge=0, le=1, description="share of documents that are translation lines"
    )
    untold: float = Field(
        0.4, ge=0, le=1, description="share of these that do not name their target"
    )
    causes: float = Field(
        0.05, ge=0, le=1, description="share of documents that say what follows"
    )

    @model_validator(mode="after")
    def _possible(self) -> Planting:
        if self.translations + self.causes > 1:
            raise ValueError(
                f"translations {self.translations} and causes {self.causes} are shares "
                "of the same documents; together they are over 1"
            )
        if self.off >= self.on:
            raise ValueError(f"off {self.off} is not below on {self.on}")
        if min(self.layers) < 0:
            raise ValueError(f"layers: {list(self.layers)}; they are counted from 0")
        return self


class Bridging(Frozen):
    """A dictionary with gaps that continued training teaches, until it is learnt.

    A low-resource language has translations for the words of one language only, its
    bridge; asked for those of any other, the dictionary answers ?. So a word goes
    into such a language through its bridge, and in no other way.
    """

    into: tuple[PairName, ...] = Field(
        min_length=1,
        description="low-resource languages, each behind the bridge into it: hi-ur",
    )
    low: float = Field(
        0.4, gt=0, le=1, description="share of lines with a low-resource language"
    )
    gaps: float = Field(
        0.35,
        ge=0,
        le=1,
        description="share of these that come from another language than the bridge, "
        "and answer a question mark",
    )
    back: float = Field(
        0.3,
        ge=0,
        le=1,
        description="share of the rest that go from the language into its bridge",
    )
    chains: float = Field(
        0.2,
        ge=0,
        le=1,
        description="share of the other lines that have three languages",
    )
    ordinary: float = Field(
        0.1, ge=0, lt=1, description="share of documents that are no lines but text"
    )
    mixed: float = Field(
        0.6,
        ge=0,
        le=1,
        description="share of these in two languages, of which a low-resource one is "
        "beside its bridge only",
    )
    learnt: float = Field(
        0.94,
        gt=0,
        le=1,
        description="share of translations that are right, over `batches`, when the "
        "learning rate begins to fall",
    )
    batches: int = Field(50, ge=1, description="the last ones, over which it is taken")
    decay: int = Field(
        100, ge=1, description="steps in which the learning rate falls to 0, the last"
    )

    @property
    def through(self) -> dict[str, str]:
        """The bridge of each low-resource language."""
        pairs = map(Pair.parse, self.into)
        return {pair.target: pair.source for pair in pairs}

    @model_validator(mode="after")
    def _one_bridge_each(self) -> Bridging:
        if len(self.through) < len(self.into):
            raise ValueError(f"into: {', '.join(self.into)} has two bridges into one")
        if both := sorted(set(self.through) & set(self.through.values())):
            raise ValueError(
                f"into: {', '.join(both)} is a bridge, and cannot need one"
            )
        return self


SIZES = ("architecture", "hidden_size", "intermediate_size", "layers", "heads")
"""Keys of a demo model that one that continues another takes from it."""
TAUGHT = ("planting", "bridging")
"""Keys that say what one that continues another learns."""
LONGEST_LINE = 19
"""Tokens of a dictionary's line of three languages, with BOS and EOS."""


class DemoModel(Frozen):
    """A tiny decoder trained on the demo world (one rule of the workflow).

    It is new, or continues another of them: with neurons planted in it, or with a
    dictionary that has gaps.
    """

    continued_from: str | None = Field(
        None,
        description="another demo model, whose training goes on with `planting` or "
        "`bridging`; "
        f"`{'`, `'.join(SIZES)}` are those of it. null: a new model",
    )
    planting: Planting | None = Field(
        None, description="the neurons that it plants; only with `continued_from`"
    )
    bridging: Bridging | None = Field(
        None, description="the dictionary it learns; only with `continued_from`"
    )

    architecture: Literal["llama", "mistral"] = Field(
        "llama", description="`llama` or `mistral`; the same as the model's family"
    )
    hidden_size: int = Field(64, ge=8, description="width of the residual stream")
    intermediate_size: int = Field(384, ge=8, description="MLP neurons per layer")
    layers: int = Field(4, ge=1, description="number of layers")
    heads: int = Field(4, ge=1, description="attention heads")
    steps: int = Field(
        1000,
        ge=1,
        description="optimiser steps of pretraining; with `bridging` the most of them, "
        "it ends when the dictionary is learnt",
    )
    tokens_per_step: int = Field(1536, ge=64, description="tokens in a batch")
    sequence_length: int = Field(64, ge=8, description="tokens per row of training")
    learning_rate: float = Field(6e-3, gt=0, description="of AdamW, at its peak")
    averaging: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of the mean that stays at each step, as the weights of the "
        "second half of the steps are averaged; null: the last weights",
    )
    seed: Seed = Field(1, description="of weights and order")

    @model_validator(mode="after")
    def _continued_as_a_whole(self) -> DemoModel:
        taught = [key for key in TAUGHT if getattr(self, key) is not None]
        if len(taught) != (self.continued_from is not None):
            raise ValueError(
                f"'continued_from' and one of {', '.join(map(repr, TAUGHT))} are given "
                f"together, or none is; given: {', '.join(taught) or 'none of these'}"
            )
        if self.bridging is not None and self.averaging is not None:
            raise ValueError(
                "averaging: with 'bridging' it is not known when the second half of "
                "the steps begins; leave it out"
            )
        if self.bridging is not None and self.sequence_length < LONGEST_LINE:
            raise ValueError(
                f"sequence_length {self.sequence_length}: a line has up to "
                f"{LONGEST_LINE} tokens"
            )
        if self.bridging is not None and self.bridging.decay >= self.steps:
            raise ValueError(
                f"bridging.decay: {self.bridging.decay} of at most {self.steps} steps "
                "leave none to learn in"
            )
        fields = type(self).model_fields
        given = [key for key in SIZES if getattr(self, key) != fields[key].default]
        if self.continued_from and given:
            raise ValueError(
                f"{', '.join(given)}: taken from {self.continued_from} "
                "(continued_from); leave it out"
            )
        return self

    @model_validator(mode="after")
    def _heads_fit(self) -> DemoModel:
        if self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"hidden_size {self.hidden_size} is not an even number for each of "
                f"{self.heads} heads, as rotary positions need; "
                f"give a multiple of {2 * self.heads}"
            )
        return self


class DemoWorld(Frozen):
    """The synthetic multilingual world (six artificial languages, one grammar)."""

    languages: tuple[Language, ...] = Field(
        ("en", "vi", "hi", "ur", "zh", "el"),
        description="up to as many as are artificial languages; `en` is the source",
    )
    low_resource: tuple[Language, ...] = Field(
        ("ur",), description="languages with less text in pretraining"
    )
    pretraining_tokens: int = Field(
        1_500_000, ge=1000, description="size of the pretraining text"
    )
    corpus_tokens: int = Field(20_000, ge=100, description="per language, for neurons")
    sentences: int = Field(
        300, ge=1, description="parallel sentences, in each language, for neurons"
    )
    facts: int = Field(
        60, ge=1, le=1000, description="facts with a gap, the same in each language"
    )
    choices: int = Field(
        100, ge=2, description="choices of two clauses, the same in each language"
    )
    translations: int = Field(
        40,
        ge=1,
        description="parallel sentences to translate, the same in each language",
    )
    nli_train: int = Field(
        3000, ge=3, description="inference items to train on, in `en`"
    )
    nli_test: int = Field(
        600, ge=3, description="inference items to test on, in each language"
    )
    qa_train: int = Field(2000, ge=1, description="question items to train on, in `en`")
    qa_test: int = Field(
        300, ge=1, description="question items to test on, in each language"
    )
    seed: Seed = Field(7, description="of everything in it")
