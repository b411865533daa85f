"""Parameters that one key, the wording, gives their values where they have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from langneurons.config.fields import Frozen


class Switched(Frozen):
    """Parameters with a ``wording`` and switches that it sets.

    The settings of a job name each switch, so that two ways to write the same are one.

    Attributes:
        WORDINGS: of each wording, the value of every switch.
    """

    WORDINGS: ClassVar[Mapping[str, Mapping[str, Any]]]

    @model_validator(mode="before")
    @classmethod
    def _as_the_wording_says(cls, given: Any) -> Any:
        """Fill in the switches that are not given."""
        if not isinstance(given, Mapping):
            return given
        default = cls.model_fields["wording"].default
        said = cls.WORDINGS.get(str(given.get("wording", default)), {})
        unsaid = {name for name in said if given.get(name) is None}
        return {**given, **{name: said[name] for name in unsaid}}
