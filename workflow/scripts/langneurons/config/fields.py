"""What all blocks of the configuration share: how values, lists and paths are read.

A list is a set of names or numbers, so an entry that stands twice is refused wherever
there is a list; numbers are finite; a word is never a truth value. These rules hold for
every subclass of :class:`Frozen`, the parameters of methods and tasks included.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from . import user_paths
from .errors import ConfigError
from .names import Pair

NAME = r"^[a-z0-9][a-z0-9_-]*$"
# YAML 1.1 reads 1e-5 as text, since it wants 1.0e-5.
EXPONENT = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+")
# No text file, path or JSON document can hold these.
NO_TEXT = re.compile("[\x00\ud800-\udfff]")
UNQUOTED = (
    "YAML reads unquoted yes, no, on, off, true and false as true or false: quote it, "
    "as in 'no'"
)


class Frozen(BaseModel):
    """A configuration block: immutable, and strict about keys, values and lists."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _mean_what_they_say(cls, value: Any, info: ValidationInfo) -> Any:
        return _read(value, _scalars(cls, str(info.field_name)))

    @field_validator("*", mode="after")
    @classmethod
    def _list_each_once(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, tuple) and _is_list(cls, str(info.field_name)):
            twice = [entry for entry, times in Counter(value).items() if times > 1]
            if twice:
                named = ", ".join(repr(entry) for entry in twice)
                raise ValueError(
                    f"{named} stands twice; each entry of a list counts once"
                )
        return value


@cache
def _scalars(block: type[BaseModel], field: str) -> frozenset[type]:
    """Return which plain types a field, or the entries of its list, may have."""
    found: set[type] = set()

    def collect(annotation: Any) -> None:
        if get_origin(annotation) is Literal:
            found.update(type(choice) for choice in get_args(annotation))
        elif annotation in (bool, int, float, str):
            found.add(annotation)
        elif get_origin(annotation) is not dict:
            for part in get_args(annotation):
                collect(part)

    collect(block.model_fields[field].annotation)
    return frozenset(found)


@cache
def _is_list(block: type[BaseModel], field: str) -> bool:
    """Tell whether a field is a list of any length, not a pair of numbers."""

    def within(annotation: Any) -> bool:
        parts = get_args(annotation)
        if get_origin(annotation) is tuple:
            return Ellipsis in parts
        return any(within(part) for part in parts)

    return within(block.model_fields[field].annotation)


def _read(value: Any, scalars: frozenset[type]) -> Any:
    """Read a value of YAML as what its key wants, or say what YAML made of it."""
    if isinstance(value, (list, tuple)):
        return [_read(entry, scalars) for entry in value]
    if isinstance(value, bool) and scalars and bool not in scalars:
        given = str(value).lower()
        if str in scalars:
            raise ValueError(f"text is needed, not {given}; {UNQUOTED}")
        raise ValueError(f"a number is needed, not {given}")
    if isinstance(value, str):
        if NO_TEXT.search(value):
            raise ValueError("holds a character that no text file can hold")
        if scalars and str not in scalars and EXPONENT.fullmatch(value):
            return float(value)
    return value


def _explained(check: Callable[[str], str]) -> AfterValidator:
    """Make a validator of a function that raises ConfigError."""

    def validate(text: str) -> str:
        try:
            return check(text)
        except ConfigError as error:
            raise ValueError(str(error)) from None

    return AfterValidator(validate)


def _path(text: str, allowed: tuple[str, ...]) -> str:
    if not text.strip() or not text.isprintable():
        raise ConfigError("a path is needed: one line of signs that can be seen")
    expanded = user_paths.expand(text)  # ${NAME} has braces too
    user_paths.check_placeholders(expanded, allowed)
    return expanded


def _hub_config(text: str) -> str:
    user_paths.check_placeholders(text, (user_paths.PLACEHOLDER, user_paths.CODE))
    return text


# Codes become file names; the wildcard {lang} has the same pattern.
Language = Annotated[str, Field(pattern=r"^[a-z][a-zA-Z_]*$", max_length=30)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
LocalPath = Annotated[str, _explained(lambda text: _path(text, ()))]
"""A path without placeholders; ~ and $VARIABLES are expanded when it is read."""
CodedPath = Annotated[str, _explained(lambda text: _path(text, ("lang", "code")))]
"""A path with {lang}, or with {code} for what a data set calls the language."""

LanguagePath = Annotated[str, _explained(lambda text: _path(text, ("lang",)))]
"""A path with {lang}."""

PAIR_PLACEHOLDERS = ("source", "target", "source_code", "target_code")
PairPath = Annotated[str, _explained(lambda text: _path(text, PAIR_PLACEHOLDERS))]
"""A path with {source} and {target}, or what a dictionary calls these languages."""

Codes = dict[Language, Annotated[str, Field(pattern=r"^[\w.-]+$")]]
"""What a source calls each language, where it differs from its code here."""


class HubSource(Frozen):
    """A repository on the Hugging Face hub, pinned: model, corpus or task data."""

    repo: str = Field(
        pattern=r"^[\w.-]+(/[\w.-]+)?$", description="owner/name on the hub"
    )
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = Field(
        description="full commit hash; a branch or tag would not be reproducible. "
        "null: not known yet; jobs are planned, but what it names is not fetched. "
        "`snakemake pin_models` prints the newest commit of each",
    )
    config: Annotated[str, _explained(_hub_config)] | None = Field(
        None,
        description="configuration of a data set; `{lang}` is replaced, and `{code}` "
        "by what the data set calls the language (`codes`)",
    )


def _pair(text: str) -> str:
    try:
        return str(Pair.parse(text))
    except ConfigError as error:
        raise ValueError(str(error)) from None


PairName = Annotated[str, AfterValidator(_pair)]
"""From which language into which: ``zh-sw``."""
