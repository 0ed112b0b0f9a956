"""What somebody typed, as terms to be looked for.

Words, "phrases in quotes", and -exclusions. Whatever is typed becomes strings in quotes before the
engine sees it, so nothing of it is ever read as the engine's own syntax.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.transport import WrongUse
from flows.search.synonyms import COVER, FILLERS, NEGATIONS, SEASONS, UNTOLD, singular

if TYPE_CHECKING:
    from filters.seasons import Season

MOST_TERMS: Final = 32
"""Terms of a query. FTS5 parses expressions of a bounded depth; nobody types as many."""

_PIECE: Final = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_UNSPACED: Final = re.compile("([\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
                              "\uff66-\uff9d\U00020000-\U0003ffff])")  # fmt: skip
"""Han, Hiragana and Katakana, which are written without blanks between words."""


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is looked for.

    Attributes:
        text: The word or phrase.
        classes: Classes of land cover that it stands for.
        season: The season that it stands for.
        excluded: Whether chips that have it are left out.
    """

    text: str
    classes: tuple[str, ...] = ()
    season: Season | None = None
    excluded: bool = False

    @property
    def expression(self) -> str:
        """The term in FTS5's language: its words, or what they stand for where that is measured."""
        ways = [quoted(self.text)]
        ways += [f"{{cover}} : {quoted(name)}" for name in self.classes]
        if self.season is not None:
            ways.append(f"{{season}} : {quoted(self.season.value)}")
        return "(" + " OR ".join(ways) + ")"


@dataclass(frozen=True, slots=True)
class Query:
    """A query.

    Attributes:
        text: As it was typed.
        wanted: What chips should have, the more the better.
        excluded: What they must not have.
    """

    text: str
    wanted: tuple[Term, ...]
    excluded: tuple[Term, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever asks should know of the answer."""
        untold = [term.text for term in self.wanted if singular(term.text.lower(), UNTOLD)]
        if not untold:
            return ()
        note = (
            f"land cover cannot tell {', '.join(untold)}: the scene classification takes built-up"
            " ground for bare ground, so this was looked for in titles and tags alone"
        )
        return (note,)


def quoted(text: str) -> str:
    """Returns a text as a string of FTS5, in which nothing is syntax: a phrase of its words."""
    return '"' + separated(text).replace("\x00", " ").replace('"', '""') + '"'


def separated(text: str) -> str:
    """Returns a text with blanks around letters of scripts that are written without any.

    FTS5's tokenizer would take a whole line of them for one word. Searched for, they are a phrase.
    """
    return _UNSPACED.sub(r" \1 ", text)


def joined(text: str) -> str:
    """Takes the blanks out again that `separated` put in."""
    without = re.sub(rf"(?<={_UNSPACED.pattern[1:-1]}) +(?={_UNSPACED.pattern[1:-1]})", "", text)
    return re.sub(r" {2,}", " ", without).strip()


def parse_query(text: str) -> Query:
    """Reads a query.

    Raises:
        WrongUse: If there is nothing in it to look for, or too much.
    """
    terms: list[Term] = []
    negated = False
    for piece in _PIECE.finditer(text):
        phrase, word = piece["phrase"], piece["word"]
        excluded = bool(piece["minus"]) or negated
        if phrase is None and word.lower() in NEGATIONS and not piece["minus"]:
            negated = True
            continue
        found = [_term(phrase, excluded)] if phrase is not None else _words(word, excluded)
        found = [one for one in found if any(letter.isalnum() for letter in one.text)]
        if found:
            negated = False
        terms += found
    wanted = tuple(dict.fromkeys(one for one in terms if not one.excluded))
    excluded_terms = tuple(dict.fromkeys(one for one in terms if one.excluded))
    if not terms:
        raise WrongUse(
            "search", "there is no word to look for in what was asked.",
            'Ask in plain words: terrapair search "snowy fields in winter"',
        )  # fmt: skip
    if len(wanted) + len(excluded_terms) > MOST_TERMS:
        raise WrongUse("search", f"more than {MOST_TERMS} words were asked for.", "Use fewer.")
    return Query(text, wanted, excluded_terms)


def _words(word: str, excluded: bool) -> list[Term]:
    """Returns the terms of what stands between blanks: `snow-covered` is two, `built-up` one."""
    if singular(word.lower(), UNTOLD) or not word.isascii():
        return [_term(word, excluded)]
    return [_term(one, excluded) for one in re.findall(r"\w+", word) if one.lower() not in FILLERS]


def _term(text: str, excluded: bool) -> Term:
    plain = text.strip().lower()
    cover, season = singular(plain, COVER), singular(plain, SEASONS)
    return Term(
        text, COVER[cover] if cover else (), SEASONS[season] if season else None, excluded
    )  # fmt: skip
