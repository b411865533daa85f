"""Fetching an adapter that somebody else trained, and checking it against its model.

What is wrong with it is said where it is fetched, not by a job on a GPU. The names and
shapes of its weights are compared with those that it would have on the model.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files, manifests
from langneurons.text import hub

from . import folders
from .adapter_files import FILES, HEAD, Adapter, require_files
from .tuned import ADAPTER, CONFIG

SHOWN = 3
"""Names of weights in a message."""


def fetch(
    spec: Mapping[str, Any], base: Path, given: Sequence[Path], out: Mapping[str, Path]
) -> None:
    """Copy or download an adapter, once it fits its model and task.

    Args:
        spec: ``source`` (``path``, or ``id`` and ``revision``), ``base`` (what the
            adapter should call its base model, or None), ``labels`` (classes of its
            head in its order, or None), ``classes`` and ``title`` of the task.
        base: manifest of the pinned model.
        given: its files where they are local, in the order of ``FILES``.
        out: ``adapter``, ``config`` and ``record``: files to write.

    Raises:
        DataError: says what does not fit.
    """
    source, folder = spec["source"], out["adapter"].parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as scratch:
        place = Path(scratch)
        if source.get("id"):
            where, revision = f"hub adapter {source['id']!r}", source["revision"]
            _download(source["id"], revision, place, where)
        else:
            where, revision = f"adapter {source['path']}", None
            for path in given:
                shutil.copyfile(path, place / path.name)
        found = Adapter.read(place, where)
        found.require_base(spec["base"])
        found.require_layers(int(manifests.read_model(base)["layers"]))
        found.require_head(spec["title"], spec["classes"])
        compare(found, place, base.parent, spec["classes"])
        hashes = {name: files.sha256(place / name) for name in FILES}
        order = [(spec["labels"] or spec["classes"]).index(x) for x in spec["classes"]]
        _save_again(place / ADAPTER, order, hashes[CONFIG])
        for name, target in ((ADAPTER, out["adapter"]), (CONFIG, out["config"])):
            with files.atomic(target) as part:
                (place / name).replace(part)
    about = {
        "format": "langneurons/adapter/1",
        "source": dict(source),
        "revision": revision,
        "files": hashes,
        "labels": spec["labels"],
    }
    said = ("base_model_name_or_path", "revision", "task_type", "r", "peft_version")
    about["says"] = {key: found.settings.get(key) for key in said}
    files.write_json(out["record"], about)


def _download(repo: str, revision: str, place: Path, where: str) -> None:
    """Download the files that are read, and nothing else; check that they are whole."""
    from huggingface_hub import HfApi, snapshot_download

    with hub.explained("model", repo, revision):
        info = HfApi().model_info(repo, revision=revision, files_metadata=True)
        listed = {one.rfilename: one for one in info.siblings or []}
        require_files(listed, where)
        wanted = [listed[name] for name in FILES]
        size = sum(one.size or 0 for one in wanted)
        hub.require_space(place, size, where)
        snapshot_download(
            repo, revision=revision, local_dir=place, allow_patterns=list(FILES)
        )
    for one in wanted:
        path = place / one.rfilename
        if one.lfs is not None and files.sha256(path) != one.lfs.sha256:
            raise DataError(
                f"{where}: {one.rfilename} arrived damaged (its sha256 is not "
                f"{one.lfs.sha256}). Run again to download it anew."
            )


def compare(adapter: Adapter, folder: Path, base: Path, classes: Sequence[str]) -> None:
    """Compare an adapter's weights with those that its configuration puts on a model.

    Args:
        adapter: from the folder.
        folder: of the adapter.
        base: folder of the pinned model.
        classes: of the task; empty: a language model.

    Raises:
        DataError: modules that the model has not, a weight that is absent, of another
            shape, or of no use.
    """
    wanted = _wanted(adapter.where, folder, base, len(classes))
    have = adapter.shapes
    hint = "Is it an adapter of another model?"
    if missing := sorted(set(wanted) - set(have)):
        raise DataError(
            f"{adapter.where}: {len(missing)} weights that its {CONFIG} asks for are "
            f"not in {ADAPTER}: {_some(missing)}. {hint}"
        )
    if extra := sorted(set(have) - set(wanted)):
        raise DataError(
            f"{adapter.where}: {len(extra)} weights have no place in the model: "
            f"{_some(extra)}. {hint} One with embeddings or whole layers of its own is "
            "merged first (merge_and_unload), and is a model then"
        )
    for name, shape in sorted(wanted.items()):
        if have[name] != shape:
            raise DataError(
                f"{adapter.where}: {name} has shape {list(have[name])}, but on this "
                f"model it would be {list(shape)}. {hint}"
            )


def _wanted(
    where: str, folder: Path, base: Path, labels: int
) -> dict[str, tuple[int, ...]]:
    """List the weights of an adapter on a model that has shapes but no numbers."""
    import torch
    import transformers as t
    from peft import PeftConfig, get_peft_model, get_peft_model_state_dict

    folders.quiet()
    auto: Any = t.AutoModelForCausalLM
    more = {}
    if labels:
        auto, more = t.AutoModelForSequenceClassification, {"num_labels": labels}
    local = {"local_files_only": True, "trust_remote_code": False}
    config = t.AutoConfig.from_pretrained(str(base), **local, **more)
    try:
        with torch.device("meta"):
            model = auto.from_config(config, trust_remote_code=False)
            tuned = get_peft_model(model, PeftConfig.from_pretrained(str(folder)))
    # Each setting fails in its own way: ValueError, TypeError, KeyError, others.
    except Exception as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise DataError(
            f"{where}: it cannot be put on this model ({type(error).__name__}: {said})"
        ) from error
    state = get_peft_model_state_dict(tuned, save_embedding_layers=False)
    return {name: tuple(value.shape) for name, value in state.items()}


def _save_again(path: Path, order: Sequence[int], settings: str) -> None:
    """Save the weights with the task's order of classes, and mark them.

    Evaluations are made again where this file changes, and must be where only the
    configuration beside it does, such as its scale: so its hash is in here.

    Args:
        path: of the weights.
        order: for each class of the task, its row in the head.
        settings: hash of the configuration.
    """
    from safetensors.torch import load_file, save_file

    weights = load_file(path)
    for name in (f"{HEAD}.weight", f"{HEAD}.bias"):
        if name in weights:
            weights[name] = weights[name][order].contiguous()
    # One entry: several would be written in a random order.
    save_file(weights, path, metadata={"adapter_config_sha256": settings})


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")
