"""Texts that a model itself translates before it is asked about them.

The prompt is the one of BridgeX-ICL (Xu et al. 2025) for passages (docs/bridges.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from langneurons.config.errors import unknown_name
from langneurons.config.fields import Frozen, Language
from langneurons.config.names import Pair

from . import translations

if TYPE_CHECKING:
    from langneurons.nn.evaluation.language_model import LanguageModel

LANGUAGES: Mapping[str, tuple[str, str]] = {
    "en": ("eng_Latn", "English"),
    "de": ("deu_Latn", "German"),
    "fr": ("fra_Latn", "French"),
    "it": ("ita_Latn", "Italian"),
    "pt": ("por_Latn", "Portuguese"),
    "es": ("spa_Latn", "Spanish"),
    "zh": ("zho_Hans", "Chinese"),
    "ja": ("jpn_Jpan", "Japanese"),
    "ar": ("arb_Arab", "Arabic"),
    "he": ("heb_Hebr", "Hebrew"),
    "id": ("ind_Latn", "Indonesian"),
    "tl": ("tgl_Latn", "Tagalog"),
    "sw": ("swh_Latn", "Swahili"),
    "fi": ("fin_Latn", "Finnish"),
    "hu": ("hun_Latn", "Hungarian"),
    "bg": ("bul_Cyrl", "Bulgarian"),
    "el": ("ell_Grek", "Greek"),
    "hi": ("hin_Deva", "Hindi"),
    "ru": ("rus_Cyrl", "Russian"),
    "th": ("tha_Thai", "Thai"),
    "tr": ("tur_Latn", "Turkish"),
    "ur": ("urd_Arab", "Urdu"),
    "vi": ("vie_Latn", "Vietnamese"),
}
"""Code, as FLORES-200 has it, and English name of the study's languages and XNLI's."""
TRANSLATE = (
    "Translate the following text from {source} to {target}:\n{text}\nTranslation: "
)


class Translated(Frozen):
    """How a model is asked for the translation of a text."""

    called: Literal["code", "name"] = Field(
        "code",
        description="what the prompt for a translation calls languages:\n`code`: by "
        "their codes in FLORES-200, such as zho_Hans (paper)\n`name`: by their English "
        "names",
    )
    names: dict[Language, str] = Field(
        default_factory=dict,
        description="what that prompt calls a language, by its code here, beside or "
        "instead of codes and names of the study's languages",
    )
    max_new_tokens: int = Field(
        512, ge=1, description="tokens of a translation at most (paper: 512)"
    )

    def called_by_code(self) -> dict[str, str]:
        """Return what the prompt calls each language, by its code here."""
        which = 0 if self.called == "code" else 1
        return {k: v[which] for k, v in LANGUAGES.items()} | self.names

    def nameless(self, languages: Sequence[str]) -> Iterator[str]:
        """Find languages that texts are translated from or into without a name.

        Args:
            languages: pairs, and the languages that they are tested through.
        """
        named = {Pair.parse(x).source if "-" in x else x for x in languages}
        known = self.called_by_code()
        for code in sorted(named - set(known)):
            yield unknown_name("language", code, known, "parameters.names")


def translated(
    lm: LanguageModel,
    texts: Sequence[str],
    languages: tuple[str, str],
    parameters: Translated,
) -> list[str]:
    """Let a model translate texts, each of several equal ones once.

    Args:
        lm: the model.
        texts: in the first language.
        languages: from which into which.
        parameters: how it is asked.

    Returns:
        Per text the first line of what it wrote, without blanks around it.
    """
    names = parameters.called_by_code()
    source, target = (names[code] for code in languages)
    wanted = list(dict.fromkeys(texts))
    prompts = [TRANSLATE.format(source=source, target=target, text=x) for x in wanted]
    made = translations.ask(lm, prompts, parameters.max_new_tokens)
    known = dict(zip(wanted, (text.strip() for text in made), strict=True))
    return [known[text] for text in texts]
