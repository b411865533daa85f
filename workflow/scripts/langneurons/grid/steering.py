"""What the names of prompts and steering mean: one thing each in a study.

``prompt.hi`` and ``diffmean-l12-s2.hi`` name neither a wording nor languages that are
set against each other, so that all experiments of ``run`` have the same
(``study.check_amplification``).
"""

from __future__ import annotations

from dataclasses import dataclass

from langneurons.config.errors import ConfigError
from langneurons.config.names import Prompted, Steered
from langneurons.config.schema import RESULTS, Config

from .experiments import of_kind
from .experiments.amplification import Amplification


@dataclass(frozen=True)
class Means:
    """Of what the mean differences between languages are.

    Attributes:
        languages: the language set.
        corpus: of the text.
    """

    languages: str
    corpus: str

    def path(self, model: str) -> str:
        """Name the file of a model's differences."""
        return f"{RESULTS}/directions/{model}/diffmean.{self.languages}.safetensors"


def all_means(config: Config) -> dict[str, Means]:
    """Return what each experiment of ``run`` steers with, by its name."""
    return {
        name: Means(given.languages, given.corpus or config.default_corpus)
        for name, axes in of_kind(config, Amplification).items()
        if (given := axes.steering) is not None
    }


def means(config: Config) -> Means:
    """Return what the experiments of ``run`` steer with.

    Raises:
        ConfigError: none of them steers.
    """
    for found in all_means(config).values():
        return found
    raise ConfigError("diffmean: no experiment of run has 'steering' (amplification)")


def templates(config: Config) -> dict[str, str]:
    """Return the prompt of each experiment of ``run`` that has one, by its name."""
    return {
        name: axes.prompt
        for name, axes in of_kind(config, Amplification).items()
        if axes.prompt is not None
    }


def instruction(config: Config, treatment: Prompted, lang: str) -> str:
    """Return the text that stands before every context: a line.

    Args:
        config: the configuration.
        treatment: names a language, or the tested one.
        lang: the tested language.

    Raises:
        ConfigError: no experiment of ``run`` prompts, or the language has no name.
    """
    code = treatment.language or lang
    for template in templates(config).values():
        if "{language}" in template and code not in config.language_names:
            raise ConfigError(unnamed(code))
        named = config.language_names.get(code, "")
        return template.format(language=named, code=code).rstrip("\n") + "\n"
    raise ConfigError("prompt: no experiment of run has 'prompt' (amplification)")


def unnamed(code: str) -> str:
    """Say that a language has no English name, and where it is given one."""
    return (
        f"language_names: no English name of {code!r}, which a prompt names; add it, "
        "as in language_names: {hi: Hindi}, or write {code} in the prompt"
    )


def shown(treatment: Steered) -> str:
    """Name where a treatment steers and how much, as tables do: ``l12-s2``."""
    return str(Steered(treatment.layer, treatment.strength)).partition("-")[2]
