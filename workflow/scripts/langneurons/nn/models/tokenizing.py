"""Tokenizers: reading them, and texts in which control tokens are mere characters.

A tokenizer turns ``</s>`` or ``<|eot_id|>`` into the token that ends a text wherever it
reads these characters, also in an article about markup. Here texts are read by a copy
of the tokenizer that knows its control tokens under other names, which no text has. All
else is the same, and so are the tokens of texts without such characters. What the
workflow itself puts between texts is written with these names and becomes one token.

(The switch of transformers, ``split_special_tokens``, does not do: Unigram, WordLevel
and some BPE vocabularies hold the control tokens as ordinary words, too.)
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError

from . import folders

log = logging.getLogger(__name__)

# Tokens that exist for padding, or are reserved, and so never occur in text; in order
# of preference. Llama 3.1 has the first, Mistral Nemo <pad>, Qwen 2.5 <|fim_pad|>.
PAD_TOKENS = (
    "<|finetune_right_pad_id|>",
    "<pad>",
    "[PAD]",
    "<|fim_pad|>",
    "<|reserved_special_token_0|>",
)

# Files of which one is enough; vocab.json goes with merges.txt.
SOURCES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")

# Control tokens that makers list among ordinary ones (Qwen: <|fim_prefix|>). Others in
# that list are text and stay tokens: HTML tags and runs of blanks of Gemma.
CONTROL = re.compile(r"<[|｜].*[|｜]>|<unused\d+>", re.DOTALL)


def load_tokenizer(folder: Path | str) -> Any:
    """Load a tokenizer that pads on the right with a token that never occurs in text.

    A sequence classifier reads the rightmost token that is not the pad, so a pad that
    occurs at the end of real text would move the read-out. EOS is taken only where the
    vocabulary has nothing better, with a warning.

    Raises:
        DataError: no tokenizer, a damaged one, or one that needs another package.
    """
    tokenizer = _read(Path(folder))
    tokenizer.made_to_pad = _made_to_pad(Path(folder), tokenizer)
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        known = tokenizer.get_vocab()
        reserved = [token for token in PAD_TOKENS if token in known]
        if reserved:
            tokenizer.pad_token = reserved[0]
        elif tokenizer.eos_token is not None:
            tokenizer.pad_token = tokenizer.eos_token
            log.warning(
                "%s: no token is reserved for padding; %r is used, so it should not "
                "end an input",
                folder,
                tokenizer.eos_token,
            )
        else:
            raise DataError(
                f"{folder}: the tokenizer has neither a padding nor an end-of-text "
                "token; set pad_token in its tokenizer_config.json"
            )
    return tokenizer


def padding_side(tokenizer: Any) -> str:
    """Return the side that a tokenizer pads on as its makers have it, left or right.

    Nothing here depends on it but the mistakes of others.
    """
    return str(getattr(tokenizer, "made_to_pad", None) or tokenizer.padding_side)


def _made_to_pad(folder: Path, tokenizer: Any) -> str:
    """Look up what a tokenizer's settings say, or else its class (Gemma's: left)."""
    import transformers

    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    kind = getattr(transformers, str(said.get("tokenizer_class")), tokenizer)
    return str(said.get("padding_side") or kind.padding_side)


def _read(folder: Path) -> Any:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    there = [name for name in SOURCES if (folder / name).is_file()]
    if not there:
        raise DataError(
            f"{folder}: no usable tokenizer: there is none of {', '.join(SOURCES)}. "
            "Save the model's tokenizer beside its weights (save_pretrained)."
        )
    if there == ["tokenizer.model"]:
        folders.require(
            "sentencepiece",
            f"{folder}: the tokenizer is a SentencePiece model only (tokenizer.model); "
            "reading it (or saving it as tokenizer.json where the package is: "
            "AutoTokenizer.from_pretrained and save_pretrained)",
        )
    # tokenizer.json is read as it is. AutoTokenizer would put another class over it for
    # some architectures (Qwen2), which changes tokens without a word where the file is
    # not of the kind expected, and differs between releases of transformers.
    kind: Any = PreTrainedTokenizerFast if SOURCES[0] in there else AutoTokenizer
    try:
        tokenizer = kind.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # the library in Rust knows no other class
        said = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise DataError(
            f"{folder}: no usable tokenizer ({type(error).__name__}: {said}). Is "
            f"{there[0]} whole, and that of this model?"
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise DataError(
            f"{folder}: {type(tokenizer).__name__} has no form of tokenizer.json, the "
            "only one that is read; convert the tokenizer and save it there"
        )
    return tokenizer


class PlainText:
    """Encodes texts in which control tokens are characters.

    Args:
        tokenizer: from :func:`load_tokenizer`.

    Attributes:
        eos: what stands for the end-of-text token in texts given to it; None where the
            tokenizer has none.
    """

    def __init__(self, tokenizer: Any) -> None:
        from tokenizers import Tokenizer

        core = tokenizer.backend_tokenizer
        self._names = {token: _name(token) for token in control_tokens(tokenizer)}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._written = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        self._core = Tokenizer.from_str(_renamed(core.to_str(), self._names))
        eos = tokenizer.eos_token
        self.eos = None if eos is None else self._names.get(eos)
        # New names must not move a token to another place.
        for token, number in core.get_vocab(with_added_tokens=True).items():
            if self._core.token_to_id(self._names.get(token, token)) != number:
                raise DataError(
                    f"tokenizer: token {token!r} cannot be told from text; is there "
                    "another token of this name?"
                )

    def control(self, template: str) -> str:
        """Mark the control tokens of a text of ours, so that they are no characters."""
        return self._written.sub(lambda found: self._names[found[0]], template)

    def __call__(
        self, texts: Sequence[str], beginning: bool = False
    ) -> list[list[int]]:
        """Encode texts, uncut and without padding.

        Args:
            texts: control tokens are characters, unless marked by ``control``.
            beginning: put the tokens in front that the tokenizer puts there by itself,
                such as BOS. What it puts behind a text (EOS) is always left out: an
                answer follows a prompt, and a read-out is at the end of the text.

        Returns:
            Token ids, a list for each text.
        """
        return [ids for ids, _ in self.with_ends(texts, beginning)]

    def with_ends(
        self, texts: Sequence[str], beginning: bool = False
    ) -> list[tuple[list[int], list[int]]]:
        """Encode texts, and say which part of a text each token stands for.

        Args:
            texts: see ``__call__``.
            beginning: see ``__call__``.

        Returns:
            For each text its token ids, and per token the number of characters of the
            text up to its end; 0 for what the tokenizer puts in front.
        """
        found: list[tuple[list[int], list[int]]] = []
        coded = self._core.encode_batch(list(texts), add_special_tokens=beginning)
        for one in coded:
            ids: list[int] = one.ids
            end = len(ids)
            if beginning:
                added = one.special_tokens_mask
                while end and added[end - 1]:
                    end -= 1
            found.append((ids[:end], [stop for _, stop in one.offsets[:end]]))
        return found

    def added(self) -> list[int]:
        """Ids that the tokenizer puts around a text by itself."""
        ids: list[int] = self._core.encode("", add_special_tokens=True).ids
        return ids


def encoder(tokenizer: Any) -> Callable[[list[str]], list[list[int]]]:
    """Return a function that tokenises texts without special tokens or cutting.

    Control tokens that a text spells are characters of it.
    """
    plain = PlainText(tokenizer)

    def encode(texts: list[str]) -> list[list[int]]:
        return plain(texts) if texts else []

    return encode


def control_tokens(tokenizer: Any) -> set[str]:
    """Find the tokens that have a function in place of a text.

    These are the ones marked as special, those with a role (BOS, padding, and so on),
    and those written like ``<|...|>`` or reserved (``<unused3>``).
    """
    known = tokenizer.get_vocab()
    added = tokenizer.backend_tokenizer.get_added_tokens_decoder().values()
    found = {t.content for t in added if t.special or CONTROL.fullmatch(t.content)}
    return found | {token for token in tokenizer.all_special_tokens if token in known}


def _name(token: str) -> str:
    """Name a control token so as no text does."""
    return f"control-{hashlib.sha256(token.encode()).hexdigest()}"


def _renamed(saved: str, names: dict[str, str]) -> str:
    """Rename tokens in the JSON form of a tokenizer; their ids stay.

    Truncation and padding, which some programs leave in the file, are switched off.
    """
    whole = json.loads(saved)
    whole |= {"truncation": None, "padding": None}
    for token in whole["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    model = whole["model"]
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(t, t): number for t, number in vocabulary.items()}
    else:  # Unigram: pairs of token and score
        model["vocab"] = [[names.get(t, t), score] for t, score in vocabulary]
    if model.get("unk_token") is not None:
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    if model.get("merges"):
        model["merges"] = [m for m in model["merges"] if not _touches(m, names)]
    return json.dumps(whole, ensure_ascii=False)


def _touches(merge: Sequence[str] | str, names: Iterable[str]) -> bool:
    """Whether a merge of BPE takes or makes one of some tokens."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left in names or right in names or left + right in names


def require_fit(tokenizer: Any, rows: int, where: str) -> None:
    """Refuse a tokenizer that gives tokens without an embedding.

    Control tokens may lie beyond (Gemma 3's, for images): no text gives them. Those
    that the workflow uses may not.

    Args:
        tokenizer: from :func:`load_tokenizer`.
        rows: tokens that the model has embeddings for.
        where: the model's source, for messages.
    """
    known = tokenizer.get_vocab()
    unused = control_tokens(tokenizer)
    beyond = {i: t for t, i in known.items() if i >= rows and t not in unused}
    if beyond:
        last = max(beyond)
        raise DataError(
            f"{where}: the tokenizer has {len(beyond)} tokens without an embedding: "
            f"{beyond[last]!r} is token {last}, but the model embeds the tokens 0 to "
            f"{rows - 1} only (vocab_size {rows}). Is the tokenizer that of the model? "
            "Where tokens were added, enlarge the embeddings "
            "(resize_token_embeddings) and save both."
        )
    used = {"BOS": tokenizer.bos_token_id, "EOS": tokenizer.eos_token_id}
    used |= {"padding": tokenizer.pad_token_id}
    used |= {f"automatic ({i})": i for i in PlainText(tokenizer).added()}
    for role, number in used.items():
        if number is not None and number >= rows:
            raise DataError(
                f"{where}: the {role} token "
                f"{tokenizer.convert_ids_to_tokens(number)!r} is token {number}, but "
                f"the model embeds the tokens 0 to {rows - 1} only (vocab_size {rows})."
                " Enlarge the embeddings (resize_token_embeddings) and save both, or "
                "name another token in tokenizer_config.json."
            )
