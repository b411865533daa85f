"""What the entries of ``similarities:`` mean."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .fields import Frozen


class Similarity(Frozen):
    """A way to choose a bridge: a kind, which is a file, with parameters."""

    kind: str = Field(description="a file of `similarities/`")
    parameters: dict[str, Any] = Field(default_factory=dict, description="of that kind")
