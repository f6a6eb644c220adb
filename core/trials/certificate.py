"""The certificate of a trial: what was proven of which model on which data, by which test, so that others can check it.

Every bound in it can be computed again from the counts beside it: `core.routing.verdict.rule` of the tally and the
bar, or `core.routing.judging.rule_by_judge` where people checked a judge.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from textwrap import wrap
from typing import Any

import orjson
import polars as pl

from core.grading import described
from core.prices import PriceBook, UnknownModel, UnpricedModel
from core.routing.verdict import Bar, Ruling, Tally, Verdict
from core.store import Store
from core.trials.labelling import GRADER
from core.trials.standing import TrialStanding
from core.trials.trial import Entrant, Trial
from core.trials.verdicts import judge_tally, labels_of, outcomes, tally_of, verdict_of
from core.trials.watch import Watch

Document = dict[str, Any]
_KIND = "lotwise certificate, version 1"
_WIDTH = 96
_TEST = (
    "Mixture of likelihood ratios over the counts, valid under a look after every label: by Ville's inequality a model"
    " at the bar is ever said to clear it, or to fail it, with at most this error each"
)
_RATE_SOURCE = (
    "H. Robbins, Statistical Methods Related to the Law of the Iterated Logarithm, Ann. Math. Stat. 41 (1970)"
)
_MARGIN_SOURCE = (
    "I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by betting, JRSS-B 86 (2024)"
)
_CONSISTENT = "answers on which the judge says the same in both orders; the others are no labels"
_RULING = {Ruling.CLEARS: "clears the bar", Ruling.FAILS: "fails the bar", Ruling.NOT_YET: "is not decided yet"}


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What a trial proved; two certificates of the same state are equal to the byte."""

    body: Document

    @property
    def digest(self) -> str:
        """SHA-256 of the body as JSON with sorted keys and no spaces, in hexadecimal."""
        return hashlib.sha256(orjson.dumps(self.body, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def document(self) -> Document:
        """The whole as plain data: dollars as text with every digit, moments in ISO 8601 (UTC)."""
        return {"certificate": self.body, "sha256": self.digest}

    def json(self) -> bytes:
        """The document as JSON, for a file."""
        return orjson.dumps(self.document(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def text(self) -> str:
        """The same on one page of plain text."""
        return "\n".join(_page(self.body, self.digest)) + "\n"


def issue(store: Store, book: PriceBook, trial: Trial, tried: TrialStanding, watches: Iterable[Watch]) -> Certificate:
    """The certificate of a trial as it stands, with what was seen since its candidates were taken into use.

    `tried`: the same trial with what it cost, and how many there were before it.
    """
    labels = labels_of(store, trial.trial_id)
    standing = {one.model: one for one in tried.candidates}
    return Certificate(
        body={
            "kind": _KIND,
            "trial": {
                "id": trial.trial_id,
                "state": trial.state.value,
                "reason": trial.reason,
                "started_at": _moment(trial.created_at),
                "started_by": trial.created_by,
                "closed_at": _moment(trial.closed_at),
                "rounds": trial.rounds,
                "spent_usd": _usd(tried.spent_usd),
                "budget_usd": _usd(trial.budget_usd),
            },
            "bar": _bar(trial.bar),
            "data": _data(store, trial),
            "grader": {
                "spec": trial.spec,
                "says": described(trial.spec),
                "holds_for": _CONSISTENT if trial.judge else None,
            },
            "reference_model": trial.reference_model,
            "candidates": [
                _candidate(trial, one, labels)
                | {
                    "usd_per_item": _usd(standing[one.model].usd_per_item),
                    "prices": _prices(book, one.model, trial.created_at),
                    "earlier_trials": standing[one.model].earlier_trials,
                }
                for one in trial.candidates
            ],
            "labels": _labellers(labels),
            "watch": [_watch(watch) for watch in watches],
        }
    )


def _bar(bar: Bar) -> Document:
    asked = {"rate": bar.rate} if bar.rate is not None else {"margin": bar.margin}
    source = _RATE_SOURCE if bar.rate is not None else _MARGIN_SOURCE
    return {**asked, "error": bar.error, "test": _TEST, "source": source}


def _data(store: Store, trial: Trial) -> Document:
    sample = store.query("trial_items", trial_id=trial.trial_id)
    strata = sample.group_by("stratum").len("items").sort("stratum")
    names = "\n".join(sorted(sample["item_id"])).encode()
    return {
        "class_id": trial.class_id,
        "class_name": trial.class_name,
        "sample_items": sample.height,
        "seed": trial.seed,
        "strata": dict(strata.iter_rows()),
        "item_ids_sha256": hashlib.sha256(names).hexdigest(),
    }


def _candidate(trial: Trial, one: Entrant, labels: pl.DataFrame) -> Document:
    """A candidate with the counts that decided, and all that there are since."""
    known, verdict = outcomes(trial, labels, one.number), verdict_of(trial, labels, one.number)
    checked = judge_tally(trial, labels, one.number)
    graded = labels.filter(pl.col("candidate") == one.number, pl.col("labeller") == GRADER)
    return {
        "model": one.model,
        **_verdict(verdict),
        "counts": _counts(tally_of(known.head(verdict.labels), trial.bar)),
        "all_counts": _counts(tally_of(known, trial.bar)),
        "judge_checked": asdict(checked) if checked.checked else None,
        "ungraded": graded["correct"].null_count(),
        "changes": [{"parameter": change.parameter, "said": change.said} for change in one.changes],
    }


def _labellers(labels: pl.DataFrame) -> list[Document]:
    """Who labelled, how many answers, and when."""
    rows = (
        labels.group_by("labeller")
        .agg(labels=pl.col("correct").count(), first=pl.col("labelled_at").min(), last=pl.col("labelled_at").max())
        .sort("labeller")
    )
    return [
        {"labeller": who, "labels": count, "first_at": _moment(first), "last_at": _moment(last)}
        for who, count, first, last in rows.iter_rows()
    ]


def _watch(watch: Watch) -> Document:
    return {
        "model": watch.route.model,
        "applied_at": _moment(watch.route.applied_at),
        "withdrawn_at": _moment(watch.route.withdrawn_at),
        "answers": watch.answers,
        "usable": watch.usable,
        "drawn": watch.drawn,
        "ungraded": watch.ungraded,
        "counts": _counts(watch.tally),
        "bar": None if watch.bar is None else {"rate": watch.bar.rate, "error": watch.bar.error},
        **(_verdict(watch.verdict) if watch.verdict else {}),
        "alarm": watch.alarm,
    }


def _counts(tally: Tally) -> Document:
    return {"labels": tally.labels, "correct": tally.correct, "better": tally.better, "worse": tally.worse}


def _verdict(verdict: Verdict) -> Document:
    return {
        "verdict": verdict.ruling.value,
        "estimate": verdict.estimate,
        "lower": verdict.lower,
        "upper": verdict.upper,
    }


def _prices(book: PriceBook, model: str, at: datetime) -> str | None:
    """Where the prices of the model were read, and when."""
    try:
        return book.rates(model, at=at).source
    except (UnknownModel, UnpricedModel):
        return None


def _page(body: Document, digest: str) -> list[str]:
    data, bar, trial = body["data"], body["bar"], body["trial"]
    asked = (
        f"more than {bar['rate']:.2%} of answers right"
        if "rate" in bar
        else f"no more than {bar['margin']:.2%} of answers worse than {body['reference_model']}"
    )
    lines = [
        f"CERTIFICATE OF TRIAL {trial['id']}",
        "",
        *_said(f"Class: {data['class_name']} ({data['class_id']})"),
        f"Model in use when it began: {body['reference_model']}",
        *_said(f"Bar: {asked}; error {bar['error']:.0%}"),
        *_said(f"Test: {bar['test']}. {bar['source']}."),
        *_said(f"Grader: {body['grader']['says']}"),
        *(_said(f"Holds for: {body['grader']['holds_for']}") if body["grader"]["holds_for"] else []),
        *_said(
            f"Sample: {data['sample_items']:,} items, drawn before anything was looked at, seed {data['seed']}, over"
            f" {len(data['strata'])} strata; SHA-256 of their ids {data['item_ids_sha256']}"
        ),
        *_said(
            f"Trial: {trial['started_at']} by {trial['started_by']}, {trial['state']}"
            f"{'' if trial['closed_at'] is None else ' ' + trial['closed_at']}, {trial['rounds']} rounds,"
            f" ${_short(trial['spent_usd'])} of ${_short(trial['budget_usd'])}"
        ),
        *(
            f"Labels by {one['labeller']}: {one['labels']:,}, {one['first_at']} to {one['last_at']}"
            for one in body["labels"]
        ),
    ]
    for one in body["candidates"]:
        lines += ["", *_candidate_lines(one, bar)]
    for one in body["watch"]:
        lines += ["", *_watch_lines(one)]
    return [*lines, "", f"SHA-256 of this certificate as JSON: {digest}"]


def _candidate_lines(one: Document, bar: Document) -> list[str]:
    counts = one["counts"]
    found = f"{one['model']} {_RULING[Ruling(one['verdict'])]}."
    kind = "share of right answers" if "rate" in bar else "mean difference to the model in use"
    paired = "" if "rate" in bar else f", {counts['better']:,} better and {counts['worse']:,} worse"
    lines = _said(
        f"{found} {counts['labels']:,} labels, {counts['correct']:,} right{paired}, {one['ungraded']:,} ungraded;"
        f" {kind} {_between(one)}. Earlier trials of this class and model: {one['earlier_trials']:,}."
    )
    if one["usd_per_item"] is not None:
        lines += _said(f"Dollars an answer in the trial: {_short(one['usd_per_item'])} ({one['prices']})")
    return lines + [line for change in one["changes"] for line in _said(f"Changed: {change['said']}")]


def _watch_lines(one: Document) -> list[str]:
    counts = one["counts"]
    until = "" if one["withdrawn_at"] is None else f" until {one['withdrawn_at']}"
    seen = f"{one['drawn']:,} drawn, {counts['labels']:,} labelled, {counts['correct']:,} right"
    lines = _said(
        f"In use since {one['applied_at']}{until}: {one['model']}. {one['answers']:,} answers, of which"
        f" {one['usable']:,} usable; {seen}."
    )
    return lines + _said(f"Alarm: {one['alarm']}" if one["alarm"] else "No alarm.")


def _between(one: Document) -> str:
    if one["estimate"] is None:
        return "not known"
    return f"{one['estimate']:.2%}, surely from {one['lower']:.2%} to {one['upper']:.2%}"


def _short(dollars: str) -> str:
    """The same amount without the zeros at its end."""
    return f"{Decimal(dollars).normalize():f}"


def _said(text: str) -> list[str]:
    return wrap(text, _WIDTH, subsequent_indent="  ", break_long_words=False)


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


def _usd(dollars: Decimal | None) -> str | None:
    return None if dollars is None else f"{dollars:f}"
