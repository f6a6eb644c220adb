"""What a piece of changing text is, told by its form and by the words before it."""

import re
from collections.abc import Sequence

CHANGING_TEXT = "changing text"
# Where one text is the value of a field, nearly all are.
_MOST = 0.9
# Characters around a value in which the rest of its form may stand.
_BEYOND = 24

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_FORMS = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in (
        ("uuid", r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"),
        ("e-mail address", r"\b[\w.+-]+@[\w-]+\.[\w.-]+"),
        (
            "timestamp",
            "|".join(
                (
                    r"\d{4}-\d\d?-\d\d?",
                    r"\d\d?:\d\d(?::\d\d)?",
                    r"\d\d?[./]\d\d?[./]\d{2,4}",
                    r"\d{4}[/.]\d\d?[/.]\d\d?",
                    r"\b\d{8}T\d{4,6}",
                    r"\b1[0-9]{9}(?:\d{3})?\b",
                    rf"\b{_MONTH}\.? \d{{1,2}}\b(?:,? \d{{4}}\b)?",
                    rf"\b\d{{1,2}}\.? {_MONTH}\b(?: \d{{4}}\b)?",
                )
            ),
        ),
    )
}
_ID_LABEL = re.compile(
    r"\b(?:request|trace|session|correlation|conversation|message|run|job|ticket|order|transaction|call)"
    r"[ _-]?(?:id|no|nr|number|#)?\W*$",
    re.IGNORECASE,
)
_NAME_LABEL = re.compile(
    r"\b(?:user(?:[ _-]?name)?|name|customer|client|employee|account|caller|patient|member|agent|assisting|assist"
    r"|helping|dear|hello|hi)\W*$",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", re.IGNORECASE)
_TAGGED = re.compile(r"\b[a-z]{2,12}[-_](?=\w*\d)\w{4,}\b", re.IGNORECASE)
_LAST = (
    ("counter", re.compile(r"^\W*\d[\d,._]*\W*$")),
    ("hexadecimal code", _CODE),
    ("request id", _TAGGED),
    ("counter", re.compile(r"^\D{0,8}\d[\d,._]*\D{0,8}$")),
)


def name_field(values: Sequence[str], before: str) -> str:
    """Name a field by its values and the text before them: timestamp, uuid, user name, …, or changing text."""
    for name, form in _FORMS.items():
        if _fits(form, values):
            return name
    if _ID_LABEL.search(before) and all(len(value) <= 80 and "\n" not in value for value in values):
        return "request id"
    if _NAME_LABEL.search(before) and all(len(value) <= 80 and "\n" not in value for value in values):
        return "user name"
    for name, form in _LAST:
        if _fits(form, values):
            return name
    return CHANGING_TEXT


def written_form(before: str, value: str, anchor: str, ahead: int) -> tuple[int, int]:
    """Characters that a value's own form takes from the text before it and behind it: `May 3` of `May 3, 2026`."""
    text = f"{before}{value}{anchor[: ahead + _BEYOND]}"
    start, end = len(before), len(before) + len(value) + ahead
    for form in _FORMS.values():
        for match in form.finditer(text, max(0, start - _BEYOND)):
            if match.start() < end and match.end() > start:
                return max(0, start - match.start()), max(0, match.end() - end)
    return 0, 0


def _fits(form: re.Pattern[str], values: Sequence[str]) -> bool:
    return sum(form.search(value) is not None for value in values) >= _MOST * len(values)
