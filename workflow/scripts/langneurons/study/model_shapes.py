"""How many layers and neurons models have, as far as it is known before any job."""

from __future__ import annotations

from pathlib import Path

from langneurons.config.errors import LangneuronsError
from langneurons.config.names import Selection
from langneurons.config.schema import RESULTS, Config
from langneurons.grid import rows
from langneurons.grid.kept import kept
from langneurons.jobs import manifests
from langneurons.nn.models import folders

Shape = tuple[int, int]


def of_selection(config: Config, selection: Selection) -> dict[str, Shape]:
    """Return the shapes of the models that a selection is made for, by name."""
    return {
        model: shape
        for model, shape in known(config).items()
        if selection in rows.computed_selections(config, model)
    }


@kept
def known(config: Config) -> dict[str, Shape]:
    """Return layers and neurons in a layer of each model of the grid that is known.

    Of one on the hub, or in a GGUF file, once it is pinned.
    """
    found = {}
    for name in rows.models(config):
        try:
            shape = _shape(config, name)
        except LangneuronsError:
            continue  # the job that reads it says what is wrong
        if shape is not None:
            found[name] = shape
    return found


def _shape(config: Config, name: str) -> Shape | None:
    entry = config.model(name)
    if entry.builder:
        made = config.demo_model(name)
        return made.layers, made.intermediate_size
    if entry.folder:
        about = folders.describe(entry.folder)
        return about["layers"], about["intermediate_size"]
    path = Path(f"{RESULTS}/models/{name}/pinned/manifest.json")
    if entry.hub is None or not path.is_file():
        return None
    about = manifests.read_model(path)
    pinned = about["source"], about["revision"]
    if pinned != (f"hub:{entry.hub.repo}", entry.hub.revision):
        return None  # it will be another
    return about["layers"], about["intermediate_size"]
