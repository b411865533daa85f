"""What each name in the configuration means: every key, its unit and its default.

These are the entries of the catalogues, as frozen models that refuse unknown keys.
``schema`` puts them together, ``study`` checks them against each other.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from .corpus_entries import Activations, Corpus, LanguageFilter, Site
from .demo_entries import DemoModel, DemoWorld
from .fields import NAME, Frozen, HubSource, Language
from .model_entries import GgufSource, Model

__all__ = [
    "NAME",
    "PERCENTILES",
    "PROFILES",
    "Activations",
    "Corpus",
    "DemoModel",
    "DemoWorld",
    "Frozen",
    "GgufSource",
    "HubSource",
    "Language",
    "LanguageFilter",
    "LanguageSet",
    "Method",
    "Model",
    "Statistic",
]

WriteSite = Literal["gate_pre", "act_post", "prod"]
Quantile = Literal["batch_mean", "pooled"]
Profile = Literal["paper", "consistent"]
PERCENTILES = (5, 10, 25, 50, 75, 90, 95)
RUNTIME = ("runtime_max", "runtime_p10")
"""Values of what the model computes meanwhile."""
UNMEASURED = ("zero", "const", *RUNTIME)
"""Values that no activation file is read for."""

OF_MEANS = ("max_of_means", "median_of_means")
"""Values over the means of single chunks or sentences (``activations.chunk_means``)."""

Value = Literal[
    "zero", "const", "mean", "median", "min", "max",
    "p5", "p10", "p25", "p50", "p75", "p90", "p95",
    "max_of_means", "median_of_means",
    "runtime_max", "runtime_p10",
]  # fmt: skip


class LanguageSet(Frozen):
    """Languages that a method contrasts with each other (appendix: Set1, Set6).

    A plain list of codes is short for ``languages``.
    """

    languages: tuple[Language, ...] = Field(
        min_length=1, description="whose neurons are found, and compared"
    )
    evaluate: tuple[Language, ...] | None = Field(
        None,
        description="evaluation languages whose interventions use this set; null: all",
    )

    @model_validator(mode="before")
    @classmethod
    def _list_is_short_for_languages(cls, value: Any) -> Any:
        return {"languages": value} if isinstance(value, (list, tuple)) else value

    @model_validator(mode="after")
    def _consistent(self) -> LanguageSet:
        extra = set(self.evaluate or ()) - set(self.languages)
        if extra:
            raise ValueError(
                f"'evaluate' has languages outside the set: {sorted(extra)}"
            )
        return self


class Method(Frozen):
    """A way to find neurons: a kind, which is a file of methods/, with parameters.

    Its kind says how many other methods it ``reads``, and whether it has ``draws``.
    """

    kind: str = Field(description="a file of `methods/`")
    corpus: str | None = Field(
        None,
        description="text that it reads; null: that of the methods it reads, or "
        "`default_corpus`",
    )
    parameters: dict[str, Any] = Field(default_factory=dict, description="of that kind")
    reads: tuple[str, ...] = Field(
        (),
        description="methods whose neurons it reads, of the same language set, or "
        "selections, `method.language_set`",
    )
    draws: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="independent draws of a method that draws at random",
    )
    outside: tuple[str, ...] = Field(
        (),
        description="methods or selections, as in `reads`, whose neurons of every "
        "language random draws avoid",
    )
    profile: Profile | None = Field(
        None,
        description="whose site and quantile it reads (`paper`, `consistent`: see the "
        "top level); null: that of the methods it reads, or of the top",
    )
    published_as: str | None = Field(
        None,
        description="key of this method in the published figures (lape, ap90); they "
        "stand beside the published procedure only",
    )

    @property
    def control_of(self) -> str | None:
        """The method that random neurons stand beside; None: they are not random."""
        return self.reads[0] if self.draws is not None else None

    @model_validator(mode="after")
    def _control_of_one(self) -> Method:
        if self.draws is not None and (len(self.reads) != 1 or "." in self.reads[0]):
            raise ValueError(
                "'draws' are of a random control, which tables set beside the one "
                "method that it reads, in the same language set; give reads: [method]"
            )
        if self.outside and self.draws is None:
            raise ValueError("'outside' is what random draws avoid; there are none")
        return self


class Statistic(Frozen):
    """What is written into a neuron whose activation is a (section 3.4).

    v is ``value``, as it was measured in text of ``value_language``.
    """

    value: Value = Field(
        description="what v is:\n`zero`: 0\n`const`: the number in `constant`\n"
        "`mean`, `min`, `max`: of the neuron's activations over the corpus\n"
        "`median`, `p50`: half of the activations are below\n"
        "`p5`, `p10`, `p25`, `p75`, `p90`, `p95`: percentiles of the activations\n"
        "`max_of_means`, `median_of_means`: largest and lower median of the means of "
        "the neuron in single sentences or chunks (`activations.chunk_means`)\n"
        "`runtime_max`, `runtime_p10`: largest and 10th percentile (linear) of all "
        "that the layer computes at `write`, its neurons and the item's tokens "
        "together, padding left out; once per forward pass, which while text is "
        "generated is one token; with op set or add, and other positions than "
        "all"
    )
    constant: float | None = Field(
        None, description="the number, with `value: const` and only then"
    )
    op: Literal["set", "add", "scale", "clamp_min", "clamp_max", "interpolate"] = Field(
        "set",
        description="what becomes of a:\n`set`: v (paper)\n`add`: a + weight · v\n"
        "`scale`: a · v\n`clamp_min`: at least v\n`clamp_max`: at most v\n"
        "`interpolate`: (1 - weight) · a + weight · v",
    )
    weight: float = Field(
        1.0, description="add: factor on the value; interpolate: share of the value"
    )
    profile: Profile | None = Field(
        None,
        description="whose measure, write and quantile (`paper`, `consistent`: see the "
        "top level); null: that of the top",
    )
    measure: Site | None = Field(
        None,
        description="site where v is measured; null: the profile's:\n"
        "`gate_pre`: output of the gate projection, before the activation function\n"
        "`act_post`: after the activation function",
    )
    write: WriteSite | None = Field(
        None,
        description="site where a is; null: the profile's:\n"
        "`gate_pre`, `act_post`: as above\n"
        "`prod`: after the gate, input of the down projection",
    )
    quantile: Quantile | None = Field(
        None,
        description="which quantile a median or percentile is; null: the profile's:\n"
        "`batch_mean`: mean of the quantiles within batches (paper)\n"
        "`pooled`: of all tokens at once, from a histogram",
    )
    neuron_language: Language = Field(
        "target",
        description="whose neurons:\n`target`: of the tested language\n`source`: of "
        "the language of the training data\na code: of that language",
    )
    value_language: Language = Field(
        "target", description="whose statistics: `target`, `source` or a code, as above"
    )
    positions: Literal["all", "non_pad", "last", "prompt", "generated"] = Field(
        "all",
        description="token positions written:\n`all`: all, padding included (paper)\n"
        "`non_pad`: all but padding\n`last`: the last of the text, and each token that "
        "is generated; not for perplexity\n`prompt`: all but generated tokens\n"
        "`generated`: only these; tasks that generate text",
    )
    layers: tuple[int, int] | None = Field(
        None, description="first and last layer written, from 0; null: all layers"
    )

    @model_validator(mode="after")
    def _const_has_a_number(self) -> Statistic:
        if (self.value == "const") != (self.constant is not None):
            raise ValueError("'constant' is given with value: const, and only then")
        return self

    @model_validator(mode="after")
    def _runtime_is_of_text(self) -> Statistic:
        if self.value not in RUNTIME:
            return self
        if self.op not in ("set", "add"):
            raise ValueError(f"value {self.value} goes with op set or add only")
        if self.positions == "all":
            raise ValueError(
                f"value {self.value} is of an item's own tokens, and positions: all "
                "would write it into padding too; give positions: non_pad"
            )
        return self


PROFILES: dict[str, dict[str, str]] = {
    "paper": {"measure": "gate_pre", "write": "act_post", "quantile": "batch_mean"},
    "consistent": {"measure": "act_post", "write": "act_post", "quantile": "pooled"},
}
