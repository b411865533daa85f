"""Sweeps: an entry of a catalogue for each value of one parameter.

They are entries like any other, each named by its value, so that one value more changes
nothing of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic import Field, ValidationError, model_validator

from .fields import Frozen

STATISTICS = "statistics"
"""What ends the keys of lists of statistics."""
NUMBERS = ("weight", "constant")
"""Keys of a statistic that are numbers."""
RANDOM = "random_"
"""Begins the name of a sweep's controls."""


class Sweep(Frozen):
    """One parameter of a method, or of a statistic, at several values.

    Each value makes an entry with everything else of ``method``, or ``statistic``:
    ``lape_rate_0_005`` of the sweep ``lape_rate``. In lists of experiments
    ``lape_rate.set1`` stands for all of them, ``random_lape_rate.set1`` for all their
    controls, and among statistics ``lape_rate`` does.
    """

    method: str | None = Field(
        None, description="method that is swept; null: a statistic is"
    )
    statistic: str | None = Field(
        None, description="statistic that is swept; null: a method is"
    )
    parameter: str = Field(
        description="which key of the method's `parameters`; of a statistic `weight` "
        "or `constant`"
    )
    values: tuple[float, ...] = Field(min_length=1, description="its values")
    control: str | None = Field(
        None,
        description="random method that reads `method`: each value gets one like it; "
        "null: none. Not of a statistic, under which random neurons are anyway",
    )

    @model_validator(mode="after")
    def _of_one(self) -> Sweep:
        if (self.method is None) == (self.statistic is None):
            raise ValueError("one of 'method' and 'statistic' is given, and only one")
        if self.control is not None and self.method is None:
            raise ValueError("'control' goes with 'method'")
        if self.statistic is not None and self.parameter not in NUMBERS:
            raise ValueError(
                f"parameter {self.parameter!r} is no number of a statistic; allowed: "
                f"{', '.join(NUMBERS)}"
            )
        return self

    @property
    def base(self) -> str:
        """The entry that is swept."""
        return self.method or self.statistic or ""

    def named(self, sweep: str) -> dict[str, float]:
        """Return the entries that it makes: name -> value.

        Args:
            sweep: its name.
        """
        return {f"{sweep}_{written(value)}": value for value in self.values}

    def controls(self, sweep: str) -> dict[str, str]:
        """Return the random methods that it makes: name -> the method they match."""
        if self.control is None:
            return {}
        return {f"{RANDOM}{name}": name for name in self.named(sweep)}

    def entries(self, sweep: str, base: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return what it adds to the catalogue, but for controls.

        Args:
            sweep: its name.
            base: the entry that is swept.
        """
        values = self.named(sweep).items()
        if self.statistic is not None:
            return {name: {**base, self.parameter: value} for name, value in values}
        same = {k: v for k, v in base.items() if k != "published_as"}
        given = dict(base.get("parameters") or {})
        return {
            name: same | {"parameters": given | {self.parameter: value}}
            for name, value in values
        }

    def control_entries(
        self, sweep: str, control: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """Return the random methods that it adds.

        Args:
            sweep: its name.
            control: the entry of ``control``, which reads the method that is swept.
        """

        def instead(key: str, name: str) -> list[str]:
            given = control.get(key) or ()
            return [_renamed(str(text), self.base, name) for text in given]

        return {
            drawn: {**control, "reads": [name], "outside": instead("outside", name)}
            for drawn, name in self.controls(sweep).items()
        }


def written(value: float) -> str:
    """Write a number so that it may stand in a name: ``0_005``, ``m1_5``, ``90``."""
    digits = format(Decimal(repr(float(value))), "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits.replace("-", "m").replace(".", "_")


def _renamed(text: str, old: str, new: str) -> str:
    """Name another method in a method's name, or that of a selection."""
    method, dot, langset = text.partition(".")
    return f"{new if method == old else method}{dot}{langset}"


def expand(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Add the entries of all sweeps, and name them where experiments name a sweep.

    What is wrong is left as it is, for those who check it to say so. An entry that is
    there already is left too: a configuration that was written out has it.

    Args:
        raw: a configuration before it is checked.
    """
    found = dict(raw)
    patterns: dict[str, list[str]] = {}
    for name, sweep in _readable(raw.get("sweeps")):
        where = "methods" if sweep.method is not None else STATISTICS
        known = found.get(where)
        base = known.get(sweep.base) if isinstance(known, Mapping) else None
        if not isinstance(base, Mapping) or not isinstance(known, Mapping):
            continue
        added = sweep.entries(name, base)
        control = known.get(sweep.control) if sweep.control else None
        if isinstance(control, Mapping):
            added |= sweep.control_entries(name, control)
            patterns[f"{RANDOM}{name}"] = [*sweep.controls(name)]
        patterns[name] = [*sweep.named(name)]
        found[where] = {**added, **known}
    if patterns and isinstance(raw.get("experiments"), Mapping):
        found["experiments"] = _named(raw["experiments"], patterns, "")
    return found


def _readable(given: Any) -> Iterator[tuple[str, Sweep]]:
    """Yield the sweeps that can be read."""
    if not isinstance(given, Mapping):
        return
    for name, entry in given.items():
        try:
            yield str(name), Sweep.model_validate(entry)
        except ValidationError:
            continue  # it is explained when the whole configuration is read


def _named(part: Any, patterns: Mapping[str, list[str]], key: str) -> Any:
    """Write entries where a list names a sweep."""
    if isinstance(part, Mapping):
        return {k: _named(v, patterns, str(k)) for k, v in part.items()}
    if not isinstance(part, (list, tuple)):
        return part
    found: list[Any] = []
    for text in part:
        front, dot, rest = str(text).partition(".")
        stands = front in patterns and (dot or key.endswith(STATISTICS))
        if isinstance(text, str) and stands:
            found += [f"{name}{dot}{rest}" for name in patterns[front]]
        else:
            found.append(text)
    return found
