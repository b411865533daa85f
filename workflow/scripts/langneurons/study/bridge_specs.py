"""The slices of the configuration that the jobs of bridges read; see ``specs``."""

from __future__ import annotations

from typing import Any

from langneurons.config.errors import ConfigError
from langneurons.config.names import Pair, Selection
from langneurons.config.schema import Config
from langneurons.grid import bridges
from langneurons.jobs.files import canonical
from langneurons.jobs.fingerprint import code_hash
from langneurons.nn.models import families

from . import probing


class BridgeSpecs:
    """Builds the ``spec`` of the rules that bridges need, from one configuration."""

    config: Config

    def _model(self, name: Any) -> dict[str, Any]:
        """Return what every job that runs a model says of it."""
        entry = self.config.model(str(name))
        return {
            "model": name,
            "family": entry.family,
            # Not the whole table, by the code's hash: other rows change nothing.
            "architecture": families.described(entry.family),
            "attn_implementation": entry.attn_implementation,
        }

    def prepare_dictionary(self, wildcards: Any) -> str:
        """Say how words are translated, and from which files, in the legs' order."""
        pair = Pair.parse(wildcards.pair)
        entry = self.config.dictionary(wildcards.dictionary)
        legs = [
            {
                "pair": str(leg.pair),
                "swapped": leg.swapped,
                "files": list(leg.files),
            }
            for leg in entry.legs(pair)
        ]
        return canonical(
            {
                "dictionary": wildcards.dictionary,
                "pair": str(pair),
                "legs": legs,
                "identical": entry.identical,
            }
        )

    def ask_probes(self, wildcards: Any) -> str:
        pair = Pair.parse(wildcards.pair)
        spec = probing.ask(self.config, wildcards.model, pair)
        asks = "asked" in spec
        model = self._model(wildcards.model) if asks else {"model": wildcards.model}
        return canonical(model | spec)

    def record_probes(self, wildcards: Any) -> str:
        given = Selection(wildcards.method, wildcards.langset)
        if given != bridges.selection(self.config):
            raise ConfigError(
                f"{given}: no experiment of run compares its neurons to choose bridges"
            )
        pair = Pair.parse(wildcards.pair)
        spec = probing.record(self.config, pair)
        return canonical(self._model(wildcards.model) | spec)

    def compare_languages(self, wildcards: Any) -> str:
        pair = Pair.parse(wildcards.pair)
        names = wildcards.model, wildcards.similarity, pair
        return canonical(probing.compare(self.config, *names))

    def similarity_code(self, wildcards: Any) -> str:
        """Hash the comparing code, with the one similarity that is used."""
        kind = self.config.similarity(wildcards.similarity).kind
        return code_hash("compare_languages", (f"similarities.{kind}",))
