"""Text that tables and figures show: plain, and of characters that LaTeX, matplotlib's font and HTML all have."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator

SYMBOLS = "±×÷·°…–—‘’“”≤≥≠≈∼−→←∞√∈²³′"
GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ"
LETTERS = "ßæœøłıÆŒØŁ"
HAT = "\N{COMBINING CIRCUMFLEX ACCENT}"
"""Of x̂, the one symbol of two characters."""


def is_shown(character: str) -> bool:
    """Whether every format has the character: ASCII, accented Latin letters, Greek, some symbols."""
    base = unicodedata.normalize("NFD", character)
    accented = len(base) == 2 and base[0].isascii() and base[0].isalpha() and character <= "\u017f"
    return (character.isascii() and character.isprintable()) or accented or character in SYMBOLS + GREEK + LETTERS


def shown(text: str) -> str:
    """The text, if it can be shown; raises ValueError, which names the characters that cannot, and what is accepted."""
    if lacking := sorted({repr(character) for character in text.replace(f"x{HAT}", "x") if not is_shown(character)}):
        raise ValueError(
            f"{', '.join(lacking)} cannot be shown in every table and figure; accepted are one line of letters (Latin, Greek), digits, "
            f"punctuation and {SYMBOLS}"
        )
    return text


Text = Annotated[str, AfterValidator(shown)]
"""A title or a note: plain text, which no format takes for mathematics or markup."""
