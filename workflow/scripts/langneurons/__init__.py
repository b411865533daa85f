"""Find, overwrite and fine-tune language-specific neurons of multilingual LLMs.

What a script or a notebook needs; docs/library.md shows it at work. :class:`NeuronSets`
and :class:`Activations` read results, :func:`from_mask` makes neurons of an array,
:func:`overwrite` and :func:`applied` treat a model, :class:`LanguageModel` runs it on
items, :func:`open_adapter` opens a tuned one, :func:`item_columns` explains per-item
results. Each is imported when it is first used; torch not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .neurons.neuron_sets import NeuronSets, from_mask
    from .neurons.recorded_activations import Activations
    from .nn.evaluation.applying import applied
    from .nn.evaluation.interventions import overwrite
    from .nn.evaluation.language_model import LanguageModel
    from .nn.models.tuned import open_adapter
    from .tasks.common.explained import item_columns

__version__ = "0.1.0"
__all__ = [
    "Activations",
    "LanguageModel",
    "NeuronSets",
    "applied",
    "from_mask",
    "item_columns",
    "open_adapter",
    "overwrite",
]

_PLACES = {
    "Activations": "neurons.recorded_activations",
    "LanguageModel": "nn.evaluation.language_model",
    "NeuronSets": "neurons.neuron_sets",
    "applied": "nn.evaluation.applying",
    "from_mask": "neurons.neuron_sets",
    "item_columns": "tasks.common.explained",
    "open_adapter": "nn.models.tuned",
    "overwrite": "nn.evaluation.interventions",
}


def __getattr__(name: str) -> Any:
    """Import a name of ``__all__`` when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
