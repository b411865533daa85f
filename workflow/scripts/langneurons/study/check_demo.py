"""Checks of the demo world and of the models that are trained on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from langneurons.config.errors import unknown_name
from langneurons.config.names import languages_of
from langneurons.demo.languages import GRAMMARS
from langneurons.demo.world_files import SOURCE
from langneurons.grid import rows

if TYPE_CHECKING:
    from langneurons.config.catalogue import Model
    from langneurons.config.schema import Config


def problems(config: Config) -> Iterator[str]:
    """List languages that the world lacks, and what models cannot be taught."""
    yield from _demo(config)
    yield from _continued(config)


def _demo(config: Config) -> Iterator[str]:
    """Check the languages of the artificial world."""
    world = config.demo_world
    if world is None:
        return
    for lang in world.languages:
        if lang not in GRAMMARS:
            yield unknown_name("language", lang, GRAMMARS, "demo_world.languages")
    if SOURCE not in world.languages:
        yield f"demo_world.languages: {SOURCE!r} is missing; training items are in it"
    if "low_resource" in world.model_fields_set:
        for lang in sorted(set(world.low_resource) - set(world.languages)):
            where = "demo_world.low_resource"
            yield unknown_name("language", lang, world.languages, where)


def _continued(config: Config) -> Iterator[str]:
    """Check the demo models that go on from others.

    Of those that run: a configuration on top may leave ``demo`` out.
    """
    for name in rows.models(config):
        model = config.model(name)
        if model.demo is None or model.demo.continued_from is None:
            continue
        base, where = model.demo.continued_from, f"models.{name}.demo"
        new = [k for k, m in config.models.items() if _is_new(m)]
        if base not in new:
            yield unknown_name("new demo model", base, new, f"{where}.continued_from")
            continue
        if model.family != config.model(base).family:
            yield (
                f"models.{name}.family: {model.family!r}, but {base}, from which it "
                f"goes on, is {config.model(base).family!r}"
            )
        yield from _planted(config, name)
        yield from _bridged(config, name)


def _planted(config: Config, name: str) -> Iterator[str]:
    """Check that there is room for the neurons that a demo model plants."""
    made, where = config.demo_model(name), f"models.{name}.demo.planting"
    plan, base = made.planting, made.continued_from
    if plan is None:
        return
    if max(plan.layers) >= made.layers:
        yield (
            f"{where}.layers: {list(plan.layers)}, but {base} has layers 0 to "
            f"{made.layers - 1}"
        )
    languages = config.demo_world.languages if config.demo_world else ()
    if (wanted := plan.neurons * len(languages)) > made.intermediate_size:
        yield (
            f"{where}.neurons: {plan.neurons} for each of {len(languages)} languages "
            f"are {wanted}; {base} has {made.intermediate_size} per layer "
            "(intermediate_size)"
        )


def _bridged(config: Config, name: str) -> Iterator[str]:
    """Check the languages of the dictionary that a demo model learns."""
    plan, where = config.demo_model(name).bridging, f"models.{name}.demo.bridging"
    languages = config.demo_world.languages if config.demo_world else ()
    if plan is None:
        return
    for lang in dict.fromkeys(x for pair in plan.into for x in languages_of(pair)):
        if lang not in languages:
            yield unknown_name("language", lang, languages, f"{where}.into")
    others = [lang for lang in languages if lang not in plan.through]
    if len(others) < 2:
        yield (
            f"{where}.into: {', '.join(others) or 'no language'} besides "
            f"{', '.join(plan.through)}; two or more are needed, between which all "
            "words are translated"
        )


def _is_new(model: Model) -> bool:
    return model.builder is not None and not (model.demo and model.demo.continued_from)
