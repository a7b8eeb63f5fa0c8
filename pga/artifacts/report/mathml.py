"""The LaTeX of the table of terms and of Table 2 as MathML: letters, Greek, accents, scripts."""

from __future__ import annotations

import re

from markupsafe import Markup

from pga.artifacts.tables.formats import GREEK

LETTERS = {rf"\{name}": letter for letter, name in GREEK.items()} | {r"\phi": "φ", r"\epsilon": "ε"}
OPERATORS = {r"\sim": "∼", r"\odot": "⊙", r"\in": "∈", r"\to": "→", r"\cdot": "·"}
ACCENTS = {r"\hat": "^", r"\bar": "¯"}
SCRIPT = {"D": "𝒟", "H": "ℋ", "N": "𝒩", "L": "ℒ"}
TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|[a-zA-Z]+|\S")


def symbol(latex: str) -> Markup | str:
    """An expression as MathML; as it is where it holds something that is not translated, as a term of one's own may."""
    try:
        return mathml(latex)
    except ValueError:
        return latex


def mathml(latex: str) -> Markup:
    """An expression as MathML.

    Raises:
        ValueError: it holds something that is not translated.
    """
    tokens = TOKEN.findall(latex)
    found = row(tokens)
    if tokens:
        raise ValueError(f"{latex!r}: braces do not match")
    return Markup("<math>") + found + Markup("</math>")


def tag(name: str, *parts: Markup | str) -> Markup:
    """An element, text within it escaped."""
    return Markup("<{0}>{1}</{0}>").format(Markup(name), Markup("").join(parts))


def row(tokens: list[str]) -> Markup:
    """Atoms with their scripts, up to a closing brace."""
    found: list[Markup] = []
    while tokens and tokens[0] != "}":
        base, scripts = atom(tokens), {"_": Markup(""), "^": Markup("")}
        while tokens and tokens[0] in ("_", "^", "'"):
            sign = tokens.pop(0)
            scripts["_" if sign == "_" else "^"] = tag("mo", "′") if sign == "'" else atom(tokens)
        kind = ("msub" if scripts["_"] else "") + ("sup" if scripts["_"] else "msup") * bool(scripts["^"])
        found.append(tag(kind, base, *filter(None, scripts.values())) if kind else base)
    return found[0] if len(found) == 1 else tag("mrow", *found)


def atom(tokens: list[str]) -> Markup:
    """The next letter, word, number, operator, accent or group; a word of several letters is a name."""
    token = tokens.pop(0)
    if token == "{":
        found = row(tokens)
        if not tokens:
            raise ValueError("a brace is not closed")
        tokens.pop(0)
        return found
    if token in ACCENTS:
        return Markup('<mover accent="true">{}{}</mover>').format(atom(tokens), tag("mo", ACCENTS[token]))
    if token == r"\mathcal":
        return Markup(re.sub("[A-Z]", lambda letter: SCRIPT[letter[0]], atom(tokens)))
    if token == r"\ ":
        return Markup('<mspace width=".5em"/>')
    if token in ("(", ")"):
        return Markup('<mo stretchy="false">{}</mo>').format(token)
    if token == r"\log":
        return tag("mi", "log") + Markup('<mspace width=".15em"/>')
    if token.isalpha() or token in LETTERS:
        return tag("mi", LETTERS.get(token, token))
    if token.startswith("\\") and token not in OPERATORS:
        raise ValueError(f"{token} has no translation")
    return tag("mn" if token[0].isdigit() else "mo", OPERATORS.get(token, token))
