"""What a metadata-only store leaves out of every write, whoever asks for it: what prompts and outputs say.

One place for all writers, so that none of them can forget it. Lotwise's own sentences stay; what the API or a library
said may quote a request, and goes.
"""

import re
from typing import Any

import polars as pl

_COPIES = ("preview", "excerpt")
_QUOTED = ("message", "note")
_SENTENCES = {"reason", "message", "note", "sentence", "trouble"}
# Behind these, Lotwise's sentences pass on the words of others.
_QUOTES = r"(?s)(\bwhy: |\bgoes on: \w+: |\bnot of the API's form: |\bnot valid JSON: ).*"
_REQUEST_ID = re.compile(r"request_id: (req_\w{1,64})\)?\Z")


def values_without_texts(values: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a statement, their sentences without what they quote."""
    return {
        name: _unquoted(value) if name in _SENTENCES and isinstance(value, str) else value
        for name, value in values.items()
    }


def rows_without_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a statement: copies of prompts empty, quoting sentences cut, classes named after their ids.

    A class that a rule named after its items' ids keeps its name.
    """
    columns = frame.columns
    out = [pl.lit("").alias(name) for name in _COPIES if name in columns]
    out += [pl.lit(None, dtype=pl.String).alias(name) for name in _QUOTED if name in columns]
    if "reason" in columns:
        out.append(pl.col("reason").str.replace(_QUOTES, "${1}…"))
    if {"class_id", "name", "preview", "prefix_chars"} <= set(columns):
        inferred = pl.col("inferred") if "inferred" in columns else pl.lit(False)
        neutral = pl.lit("Class ") + pl.col("class_id").str.slice(0, 8)
        out.append(pl.when((pl.col("prefix_chars") > 0) & ~inferred).then(neutral).otherwise("name").alias("name"))
    return frame.with_columns(out)


def _unquoted(sentence: str) -> str:
    cut = re.sub(_QUOTES, r"\1…", sentence)
    if cut == sentence:
        return sentence
    number = _REQUEST_ID.search(sentence)
    kept = f"{cut}, request_id: {number[1]}" if number else cut
    return f"{kept})" if kept.count("(") > kept.count(")") else kept
