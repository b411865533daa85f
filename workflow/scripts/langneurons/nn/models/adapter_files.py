"""What an adapter that somebody else trained says of itself, read without torch.

It is a folder, or a repository on the hub, as PEFT saves adapters: a configuration and
weights as safetensors. A pickle is never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files, tensors

from .tuned import ADAPTER, CONFIG

FILES = (CONFIG, ADAPTER)
"""The files that are read; others are left where they are."""

HEAD = "base_model.model.score"
"""How a classifier's head is called in the weights."""

PLAIN = (True, False, "gaussian", "eva", "orthogonal")
"""Starts of LoRA (``init_lora_weights``) that leave the weights of the base alone."""

UNREAD = (
    "layer_replication", "megatron_config", "alora_invocation_tokens", "arrow_config",
    "kasa_config", "monteclora_config",
)  # fmt: skip
"""Settings with which PEFT builds or runs another model than the base."""

LAYER = re.compile(r"\.(?:layers|h)\.(\d+)\.")


@dataclass(frozen=True)
class Adapter:
    """An adapter's configuration, and the shapes of its weights.

    Attributes:
        where: its source, for messages.
        settings: of PEFT, as in ``adapter_config.json``.
        shapes: name of a weight -> its sizes.
    """

    where: str
    settings: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def read(cls, folder: Path | str, where: str) -> Adapter:
        """Read an adapter's folder; of the weights only their names and shapes.

        Raises:
            DataError: a file is absent, damaged or a pickle, or the adapter is of a
                kind that is not read.
        """
        place = Path(folder)
        require_files([path.name for path in place.glob("*")], where)
        wanted = {"peft_type": str, "r": int}
        what = "the configuration of an adapter"
        settings = files.read_object(place / CONFIG, what, {"peft_type": str})
        _require_plain(settings, where)
        files.check_keys(place / CONFIG, settings, what, wanted)
        with tensors.open_file(place / ADAPTER) as handle:
            shapes = {
                name: tuple(handle.get_slice(name).get_shape())
                for name in sorted(handle.keys())
            }
        return cls(where, settings, shapes)

    def require_head(self, title: str, classes: Sequence[str]) -> None:
        """Refuse an adapter without the head that a task needs, or with another one.

        Args:
            title: of the task.
            classes: of the task; empty where the model answers in its own words.
        """
        kind, found = self.settings.get("task_type"), self.shapes.get(f"{HEAD}.weight")
        if not classes:
            if found or kind == "SEQ_CLS":
                raise DataError(
                    f"{self.where}: an adapter of a classifier (task_type {kind}), but "
                    f"in {title} the model answers in its own words; an adapter of a "
                    "language model (CAUSAL_LM) is needed"
                )
            return
        named = f"{len(classes)} classes ({', '.join(classes)})"
        if not found:
            raise DataError(
                f"{self.where}: brings no classification head (task_type {kind}, no "
                f"weight {HEAD}.weight), but {title} is decided by a head of {named}. "
                "Such an adapter is of task_type SEQ_CLS and was saved with its head "
                "(modules_to_save: [score]); this one can be tested on tasks that the "
                "model answers in its own words"
            )
        if found[0] != len(classes):
            raise DataError(
                f"{self.where}: its head has {found[0]} classes, {title} has {named}"
            )

    def require_base(self, name: str | None) -> None:
        """Refuse an adapter that names another base model.

        Args:
            name: that it should give; None: there is nothing to compare with.
        """
        given = self.settings.get("base_model_name_or_path")
        if name is not None and given != name:
            raise DataError(
                f"{self.where}: it is of the base model {given!r}, and is to be put on "
                f"{name!r}. Where both are the same weights, write base: {given}"
            )

    def require_layers(self, layers: int) -> None:
        """Refuse an adapter of a model with more layers, before any is loaded."""
        found = [
            int(match[1]) for name in self.shapes for match in LAYER.finditer(name)
        ]
        if max(found, default=0) >= layers:
            raise DataError(
                f"{self.where}: it changes layer {max(found)}, but the model has "
                f"layers 0 to {layers - 1}; is it an adapter of another model?"
            )


def require_files(names: Iterable[str], where: str) -> None:
    """Refuse a list of files that is no adapter, or one whose weights are a pickle."""
    given = set(names)
    absent = [name for name in FILES if name not in given]
    if not absent:
        return
    pickled = sorted(name for name in given if name.endswith((".bin", ".pt", ".pth")))
    if absent == [ADAPTER] and pickled:
        raise DataError(
            f"{where}: has its weights in {pickled[0]} only, a pickle, which is not "
            "read, because loading it can run code. Save it as safetensors "
            "(save_pretrained of a current PEFT does)"
        )
    raise DataError(
        f"{where}: no {' and no '.join(absent)}; an adapter has both {CONFIG} and "
        f"{ADAPTER}, as save_pretrained of PEFT writes them"
    )


def _require_plain(settings: Mapping[str, Any], where: str) -> None:
    """Refuse what is no LoRA, or changes more than its own matrices."""
    if (kind := settings["peft_type"]) != "LORA":
        raise DataError(f"{where}: an adapter of kind {kind}; LORA is read")
    start = settings.get("init_lora_weights", True)
    if start not in PLAIN:
        raise DataError(
            f"{where}: init_lora_weights is {start!r}, with which PEFT changes the "
            "weights of the base before it adds the adapter. Save it as plain LoRA "
            "(save_pretrained with path_initial_model_for_weight_conversion)"
        )
    for key in UNREAD:
        if settings.get(key):
            raise DataError(f"{where}: {key} is set, with which adapters are not read")
