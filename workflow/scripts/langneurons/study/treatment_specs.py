"""What a job's spec says of each treatment, and once of what several have in common."""

from __future__ import annotations

from typing import Any

from langneurons.config.errors import ConfigError
from langneurons.config.names import (
    UNTREATED,
    Bridged,
    Overwritten,
    Prompted,
    Steered,
    Treatment,
)
from langneurons.config.schema import Config
from langneurons.grid import result_paths, steering
from langneurons.grid.subjects import Treatments

LANGUAGES = ("neuron_language", "value_language")


def named(
    config: Config, treatments: Treatments, lang: str, source: str
) -> dict[str, Any]:
    """Return each statistic once, and what else each treatment says.

    Snakemake keeps the spec with the output, so it is kept short.

    Args:
        config: the configuration.
        treatments: of a job.
        lang: the tested language.
        source: the language of the training data.

    Raises:
        ConfigError: a name that the configuration does not have.
    """
    found: dict[str, Any] = {}
    statistics: dict[str, Any] = {}
    for treatment in treatments:
        found[str(treatment)] = _settings(config, treatment, lang, source)
        if isinstance(treatment, Overwritten):
            entry = config.statistic(treatment.statistic)
            elsewhere = {*LANGUAGES, "profile"}
            statistics[treatment.statistic] = entry.model_dump(
                mode="json", exclude=elsewhere
            )
    return {"statistics": statistics, "treatments": found}


def _settings(
    config: Config, treatment: Treatment, lang: str, source: str
) -> dict[str, Any]:
    """Return what a treatment says that its name does not."""
    if treatment == UNTREATED or isinstance(treatment, Bridged):
        return {}  # its name says it all
    if isinstance(treatment, Steered):
        return {"language_set": steering.means(config).languages}
    if isinstance(treatment, Prompted):
        return {"instruction": steering.instruction(config, treatment, lang)}
    if not isinstance(treatment, Overwritten):
        raise ConfigError(f"{treatment}: no experiment of run has such a treatment")
    whose, values = result_paths.languages_of(config, treatment, lang, source)
    return {
        "neuron_language": whose,
        "value_language": values,
        "corpus": config.method_corpus(treatment.selection.method),
    }
