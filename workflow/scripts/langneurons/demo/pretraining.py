"""Training of the demo models: tiny decoders on text of the demo world.

The tokenizer is word-level, so that one word is one token and character offsets of
answers survive. Training is one pass over text packed without padding, with AdamW and
a cosine schedule. A model may go on from another, with neurons planted in it, or with
a dictionary that it learns.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langneurons.config.catalogue import DemoModel, DemoWorld
from langneurons.config.errors import ConfigError, DataError
from langneurons.jobs import files
from langneurons.jobs.progress import Progress
from langneurons.nn.models import fetching, loading

from . import learning, lines, optimising
from .world import BOS, EOS, PAD, UNKNOWN, World

if TYPE_CHECKING:
    import torch

    from .planting import Planter

log = logging.getLogger(__name__)

MAX_LENGTH = 512  # positions that inputs may have; text is packed shorter


def build(
    name: str,
    family: str,
    spec: DemoModel,
    world: Path,
    folder: Path,
    *,
    device: str,
    base: Path | None = None,
) -> None:
    """Train a model and write it as a pinned model folder.

    Args:
        name: the model's name in the catalogue.
        family: the catalogue's family; must be the demo model's architecture.
        spec: sizes and training.
        world: folder of the demo world, with world.json, pretraining.txt and
            tokenizer.json.
        folder: model folder to write; it appears only when complete.
        device: ``cpu`` or ``cuda``.
        base: folder of the model whose training goes on; None: a new model.

    Raises:
        ConfigError: family and architecture differ.
        DataError: not enough text for one row.
    """
    if base is None and family != spec.architecture:
        raise ConfigError(
            f"models.{name}: family is {family!r}, but demo.architecture is "
            f"{spec.architecture!r}; give both the same value (llama or mistral)"
        )
    tokenizer = fast_tokenizer(world / "tokenizer.json")
    if base is None:
        text = (world / "pretraining.txt").read_text(encoding="utf-8").splitlines()
        rows = pack(tokenizer, text, spec.sequence_length)
        # Of tokens that its text lacks it knows nothing, and they change nothing in it.
        ordinary = len(_world(world).ordinary_tokens())
        model = new_model(tokenizer, spec, ordinary).to(device)
        losses = train(model, rows, spec)
        widen(model, len(tokenizer), spec.seed)
    else:
        model = loading.load_causal(base).to(device)
        losses = go_on(model, tokenizer, spec, world)
    last = losses[-20:]
    log.info("%s: loss %.3f -> %.3f", name, losses[0], sum(last) / len(last))
    with files.atomic_folder(folder) as part:
        model.to("cpu").save_pretrained(part)
        tokenizer.save_pretrained(part)
        entry = {"family": family, "dtype": "float32"}
        fetching.finish(name, entry, "demo_world", "", part)


def go_on(model: Any, tokenizer: Any, spec: DemoModel, folder: Path) -> list[float]:
    """Continue the training of a model: plant neurons in it, or teach it a dictionary.

    Args:
        model: of the demo world, trained in place.
        tokenizer: of the same.
        spec: training, and what is planted or taught.
        folder: of the demo world, with world.json.

    Returns:
        Loss of each step, nats per token that counts, without what neurons lack.
    """
    world = _world(folder)
    if spec.bridging is not None:
        return learning.learn(model, tokenizer, spec, world)
    return _plant(model, tokenizer, spec, world)


def _plant(model: Any, tokenizer: Any, spec: DemoModel, world: World) -> list[float]:
    from . import planting

    plan = spec.planting
    if plan is None:
        raise ConfigError("demo.planting: nothing is planted; leave continued_from out")
    tokens = spec.steps * spec.tokens_per_step
    text = lines.documents(world, plan, tokens)
    rows = pack(tokenizer, text, spec.sequence_length)
    words = [set(language.words.values()) for language in world.languages.values()]
    vocabulary = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    owners = planting.owners(vocabulary, words, BOS).to(model.device)
    planter = planting.Planter(model, plan, owners, len(words), seed=spec.seed)
    try:
        return train(model, rows, spec, planter)
    finally:
        planter.remove()


def fast_tokenizer(path: Path) -> Any:
    """Wrap ``tokenizer.json`` as a Hugging Face tokenizer with its special tokens."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_file=str(path),
        pad_token=PAD,
        unk_token=UNKNOWN,
        bos_token=BOS,
        eos_token=EOS,
        padding_side="right",
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
    )


def pack(tokenizer: Any, documents: Iterable[str], length: int) -> torch.Tensor:
    """Join documents, each between BOS and EOS, and cut rows of equal length.

    Returns:
        Token ids, int64 [rows, length]; what does not fill the last row is dropped.

    Raises:
        DataError: not enough text for one row.
    """
    import torch

    eos = tokenizer.eos_token_id
    encoded = tokenizer(list(documents), return_attention_mask=False)["input_ids"]
    ids = [token for document in encoded for token in (*document, eos)]
    rows = len(ids) // length
    if not rows:
        raise DataError(
            f"pretraining text: {len(ids)} tokens do not fill one row of {length}"
        )
    return torch.tensor(ids[: rows * length]).view(rows, length)


def _world(folder: Path) -> World:
    return World(DemoWorld(**files.read_json(folder / "world.json")["spec"]))


def widen(model: Any, tokens: int, seed: int) -> None:
    """Give a model embeddings of further tokens, as small as an untrained one's.

    Args:
        model: whose input and output embeddings are one.
        tokens: how many it has afterwards.
        seed: of the new embeddings.
    """
    import torch

    known = model.config.vocab_size
    model.resize_token_embeddings(tokens, mean_resizing=False)
    drawn = torch.Generator().manual_seed(seed)
    weight = model.get_input_embeddings().weight
    small = torch.randn(tokens - known, weight.shape[1], generator=drawn)
    weight.data[known:] = (model.config.initializer_range * small).to(weight.device)


def new_model(tokenizer: Any, spec: DemoModel, tokens: int | None = None) -> Any:
    """Make the untrained decoder; its weights depend on ``spec.seed`` only.

    Args:
        tokenizer: of the world.
        spec: sizes and seed.
        tokens: that it knows, the first of the tokenizer's; None: all of them.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        spec.architecture,
        vocab_size=tokens or len(tokenizer),
        hidden_size=spec.hidden_size,
        intermediate_size=spec.intermediate_size,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        num_key_value_heads=spec.heads,
        max_position_embeddings=MAX_LENGTH,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        sliding_window=None,
    )
    torch.manual_seed(spec.seed)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def train(
    model: Any, rows: torch.Tensor, spec: DemoModel, planter: Planter | None = None
) -> list[float]:
    """Train a decoder to predict the next token.

    Args:
        model: language model, trained in place and left in eval mode.
        rows: token ids, int64 [rows, length]; started again when they run out.
        spec: steps, tokens per step, learning rate and seed.
        planter: of neurons, whose shortfall is added to the loss; None: no neurons.

    Returns:
        Loss of each step, nats per token.
    """
    import torch

    batch = max(1, spec.tokens_per_step // rows.shape[1])
    order = torch.Generator().manual_seed(spec.seed)
    optimiser = optimising.adamw(model, spec.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: optimising.cosine(step, spec.steps)
    )
    progress = Progress(spec.steps * batch * rows.shape[1], "tokens", "pretraining")
    losses: list[float] = []
    queue = torch.empty(0, dtype=torch.int64)
    mean = optimising.Mean(model, spec.averaging)
    model.train()
    for step in range(spec.steps):
        while len(queue) < batch:
            queue = torch.cat([queue, torch.randperm(len(rows), generator=order)])
        ids, queue = rows[queue[:batch]].to(model.device), queue[batch:]
        if planter is not None:
            planter.look_at(ids)
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        losses.append(float(loss.detach()))
        if planter is not None:
            loss = loss + planter.plan.weight * planter.lacking()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), optimising.GRADIENT_NORM)
        optimiser.step()
        schedule.step()
        if step >= spec.steps // 2:
            mean.add()
        progress.update(batch * rows.shape[1])
    progress.close()
    mean.take()
    model.eval()
    return losses
