"""Fences text from outside off for a model: nothing in it can end the fence, open a turn, or go unseen."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

_FENCE = "untrusted"
_MAX_LABEL_CHARS = 300
_OPENER = re.compile(
    r"[<\uff1c\ufe64\u2039\u2329\u27e8\u3008\u276e]|&(?:amp;){0,9}(?:lt|#0{0,9}60|#x0{0,9}3c);?"
    r"|\\(?:u00|x|u\{0{0,6})3c|%(?:25){0,9}3c",
    re.IGNORECASE,
)
_CODED = re.compile(r"\\(?:u00|x|u\{0{0,6})([0-9a-f]{2})\}?|%(?:25){0,9}([0-9a-f]{2})", re.IGNORECASE)
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f")
_UNSEEN = frozenset({"Cf", "Cc", "Mn", "Me"})
_LINE_ENDS = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u04bb\u0501\u0261\u0442\u043c\u043d\u043a"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0405\u0408"
    "\u03bf\u03bd\u03b1\u03c1\u03c4\u03b9\u03ba\u03c5\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u2039\u2329\u27e8\u3008\u276e\u203a\u232a\u27e9\u3009\u276f\u00a6\u2223\u01c0\u2502\u2758\ua789\u2236",
    "aeopcyxisjhdgtmhk" + "ABEKMHOPCTXISJ" + "ovaptikuABEZHIKMNOPTYX" + "<<<<<>>>>>|||||::",
)
_TOKENS = re.compile(  # in a lookahead: one mark may hide in another
    r"(?=<\|[^|<>\n]{1,80}\|>|<\|[\w./ -]{1,60}>|<[\w./ -]{1,60}\|>|\[\|[^|\[\]\n]{1,60}\|\]|<\[[^\[\]<>\n]{1,60}\]>"
    r"|\[/?(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS?|TOOL_RESULTS?|TOOL_CONTENT|gMASK|sMASK)\]"
    r"|\[(?-i:/?THINK|ARGS|CALL_ID)\]"
    r"|<</?SYS>>|</?s>|</?(?:bos|eos|sop|eop|eod)(?:_token)?>|<seed:[^<>\n]{1,40}>|\]~!?b[\]\[]|\[e~\["
    r"|</?(?:start|end)_of_(?:turn|role|text|message)>"
    r"|<\s{0,9}/?\s{0,9}(?:[\w.-]{1,40}:)?(?:system|assistant|user|human|developer|tools?|tool_(?:calls?|use|results?|responses?)"
    r"|functions?|function_(?:calls?|results?|responses?)|invoke|think|thinking|system[_-](?:prompt|message|reminder))"
    r"(?:[\s=][^<>]{0,200})?\s{0,9}/?>)",
    re.IGNORECASE,
)
_TURNS = re.compile(
    r"^[^A-Za-z\n]{0,40}(?:System|SYSTEM|Assistant|ASSISTANT|Human|HUMAN|User|USER|Developer|DEVELOPER)"
    r"[^A-Za-z0-9\n:]{0,4}(:)"
    r"|^[^A-Za-z\n]{0,40}#[ \t*_]{0,4}(?:Instructions?|Response|Input)[^A-Za-z0-9\n:]{0,4}(:)",
    re.MULTILINE,
)
_NOT_PLAIN = re.compile(r"[^\n\t\x20-\x7e]")


def fence(text: str, source: str) -> str:
    """Wrap text from outside in ``<untrusted source="...">``.

    1. Whatever a reader could take for our tag loses its ``<``: any case, look-alikes, gaps, other notations.
    2. Marks of chat templates and lines that open a turn are broken. 3. Invisible characters become escapes.
    """
    label = "".join(char if char.isprintable() and char not in '<>&"' else "_" for char in source)
    inside = without_marks(_without_fences(text), turns=True)
    return f'<{_FENCE} source="{without_marks(label)[:_MAX_LABEL_CHARS]}">\n{inside}\n</{_FENCE}>'


def without_marks(text: str, *, turns: bool = False) -> str:
    """Break the marks by which chat templates part roles and tools; with ``turns`` also lines like ``System:``.

    Invisible characters become escapes.
    """
    return seen(_broken(text, turns=turns))


def json_without_marks(text: str) -> str:
    """Give the same JSON, in ASCII, with an escape where a mark of a chat template begins in one of its strings."""
    return _broken(text, turns=False, code="\\u{:04x}")


def seen(text: str) -> str:
    """Give invisible, control and bidirectional characters as escapes.

    Line ends, tabs, and joiners and selectors between letters that need them stay.
    """
    if _NOT_PLAIN.search(text) is None:
        return text
    return "".join(char if _may_stay(text, place) else ascii(char)[1:-1] for place, char in enumerate(text))


def _may_stay(text: str, place: int) -> bool:
    char = text[place]
    if char in "\n\t" or not _is_unseen(char):
        return True
    if char == "\r":
        return text[place + 1 : place + 2] == "\n"
    before = text[place - 1] if place else " "
    return char in "\u200c\u200d\ufe0e\ufe0f" and not before.isascii() and not _is_unseen(before)


@lru_cache(maxsize=4096)
def _is_unseen(char: str) -> bool:
    selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return selector or char in _FILLERS or unicodedata.category(char) in ("Cf", "Cc", "Co", "Cn", "Zl", "Zp")


def _broken(text: str, *, turns: bool, code: str = "&#{};") -> str:
    """Break marks in a text, also those with look-alikes or invisible characters among their letters."""
    folded, places = _folded(text)
    found = [mark.start() for mark in _TOKENS.finditer(folded)]
    if turns:
        found += [mark.start(mark.lastindex or 0) for mark in _TURNS.finditer(folded)]
    if not found:
        return text
    hit = {place if places is None else places[place] for place in found}
    return "".join(code.format(ord(char)) if place in hit else char for place, char in enumerate(text))


def _folded(text: str) -> tuple[str, list[int] | None]:
    """Give a text as a reader takes it in, and for each of its characters where it came from (None: itself)."""
    if _NOT_PLAIN.search(text) is None:
        return text, None
    letters: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        plain = _plain(char)
        letters.append(plain)
        places.extend([place] * len(plain))
    return "".join(letters), places


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    if char in "\n\t":
        return char
    if char in _LINE_ENDS:
        return "\n"
    if char in _FILLERS or unicodedata.category(char) in _UNSEEN:
        return ""
    return unicodedata.normalize("NFKC", char).translate(_LOOK_ALIKES)


def _without_fences(text: str) -> str:
    out: list[str] = []
    at = 0
    for opener in _OPENER.finditer(text):
        following = _OPENER.search(text, opener.end())
        end = following.start() if following else len(text)
        if _reads_as_fence(text, opener.end(), end):
            first = opener.group()[0]
            out += [text[at : opener.start()], "&lt;" if len(opener.group()) == 1 else f"&#{ord(first)};"]
            out.append(opener.group()[1:])
            at = opener.end()
    return "".join([*out, text[at:]]) if out else text


def _reads_as_fence(text: str, start: int, end: int) -> bool:
    """Tell whether text after a ``<`` begins with the tag's name, whatever stands between its letters.

    A letter outside ASCII counts as any letter: look-alikes are too many to list.
    """
    rest = text[start:end]
    if "&" in rest or "%" in rest or "\\" in rest:
        rest = _CODED.sub(lambda code: chr(int(code[1] or code[2], 16)), html.unescape(html.unescape(rest)))
    place = 0
    for char in rest:
        if not char.isalnum() and (char.isascii() or unicodedata.category(char)[0] not in "LN"):
            continue
        if char.isascii() and char.lower() != _FENCE[place]:
            return False
        place += 1
        if place == len(_FENCE):
            return True
    return False
