"""The prefix doctor: planted defects are found at their exact place, priced as measured, healed by their rewrite."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from core.doctor.files import doctor_files
from core.doctor.rewrite import rewrite_params
from tests.pure.doctoring import (
    BOOK,
    ITEMS,
    NOW,
    STABLE,
    WORDS,
    Requests,
    assert_heals,
    chat,
    checked,
    input_usd,
    moment,
    only,
    prose,
    question,
    requests,
    unique,
)
from tests.strategies import Json

NAMES = ("Anna Weber", "Bo Li", "Carlos Ruiz", "Dana Novak", "Emil Berg", "Fatima Haddad", "Greta Olsen", "Hiro Sato")

FIELDS: dict[str, tuple[str, Callable[[int], str]]] = {
    "date line": ("timestamp", lambda n: f"Current date: {moment(n):%Y-%m-%d}\n"),
    "ISO time line": ("timestamp", lambda n: f"Now: {moment(n).isoformat()}\n"),
    "written date": ("timestamp", lambda n: f"Today is {moment(n):%B %d, %Y}.\n"),
    "epoch": ("timestamp", lambda n: f"ts={1_790_000_000 + 977 * n}\n"),
    "bare date": ("timestamp", lambda n: f"{moment(n):%Y-%m-%d %H:%M}\n"),
    "uuid": ("uuid", lambda n: f"Session: {unique(n)}\n"),
    "request id": ("request id", lambda n: f"Request ID: rq{random.Random(n).randrange(10**9):x}q\n"),
    "counter": ("counter", lambda n: f"Number {n + 1} of the list\n"),
    "user name": ("user name", lambda n: f"User: {NAMES[n % len(NAMES)]}\n"),
    "e-mail": ("e-mail address", lambda n: f"Reply to: {NAMES[n % 8].split()[0].lower()}{n}@example.org\n"),
    "hex": ("hexadecimal code", lambda n: f"Build {random.Random(n).getrandbits(64) | 1 << 63:016x}\n"),
}


@pytest.mark.parametrize("form", FIELDS)
@pytest.mark.parametrize("depth", [0, 700], ids=["at the start", "behind an introduction"])
def test_a_field_before_stable_text_is_found_named_and_moved(form: str, depth: int) -> None:
    """Timestamps, ids, counters and names early in a system prompt, each at its exact place."""
    name, field = FIELDS[form]
    introduction = prose(9, depth) + "\n" if depth else ""
    of = requests(lambda n: chat(introduction + field(n) + STABLE, question(n)))
    finding = only(of, "volatile")

    assert name in finding.title.lower() or name in finding.sentence
    assert (finding.path, finding.block, finding.character) == ("system", 1, len(introduction))
    assert finding.items == ITEMS
    assert finding.before.text[finding.before.start : finding.before.end].strip()
    for (_, params), number in zip(assert_heals(of, finding), range(ITEMS), strict=True):
        assert introduction + STABLE == params["system"]
        assert params["messages"][0]["content"] == f"{question(number)}\n\n{field(number).strip()}"


PLACES: dict[str, tuple[str, int, Callable[[str, int], Json]]] = {
    "system block": ("system[0]", 1, lambda f, n: chat([{"type": "text", "text": f + STABLE}], question(n))),
    "second system block": (
        "system[1]",
        2,
        lambda f, n: chat([{"type": "text", "text": "Be brief."}, {"type": "text", "text": f + STABLE}], question(n)),
    ),
    "a block of its own": (
        "system[0]",
        1,
        lambda f, n: chat([{"type": "text", "text": f}, {"type": "text", "text": STABLE}], question(n)),
    ),
    "one user text": ("messages[0].content", 1, lambda f, n: chat(None, f"{f}{STABLE}\n\n{question(n)}")),
    "user blocks": (
        "messages[0].content[0]",
        1,
        lambda f, n: chat(None, [{"type": "text", "text": f + STABLE}, {"type": "text", "text": question(n)}]),
    ),
    "end of a system prompt before a stable document": (
        "system",
        1,
        lambda f, n: chat(f"Be brief.\n{f}", [{"type": "text", "text": STABLE}, {"type": "text", "text": question(n)}]),
    ),
    "behind tools": (
        "system",
        2,
        lambda f, n: chat(f + STABLE, question(n), tools=[{"name": "find", "input_schema": {"type": "object"}}]),
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", ["date line", "uuid", "user name"])
def test_a_field_is_found_wherever_text_stands(place: str, form: str) -> None:
    """Strings, blocks, blocks of their own, system or message: path and block in cache order are exact."""
    path, block, make = PLACES[place]
    field = FIELDS[form][1]
    of = requests(lambda n: make(field(n), n))
    finding = only(of, "volatile")

    assert (path, block) == (finding.path, finding.block)
    assert_heals(of, finding)


def test_a_field_inside_a_sentence_leaves_a_pointer() -> None:
    """The sentence stays whole; it points to the value, which stands at the end."""
    head = "You help the accounting team. As of "
    tail = " the following rules hold for every single invoice that you are asked to look at, without exception."
    of = requests(lambda n: chat(f"{head}{moment(n):%Y-%m-%d}{tail}\n{STABLE}", question(n)))
    finding = only(of, "volatile")
    after = assert_heals(of, finding)

    assert finding.character == len(head)
    assert after[3][1]["system"] == f"{head}(timestamp given at the end){tail}\n{STABLE}"
    assert after[3][1]["messages"][0]["content"].endswith(f"\n\nTimestamp: {moment(3):%Y-%m-%d}")


def test_several_fields_are_one_finding_where_one_alone_saves_nothing() -> None:
    """A date, then an id a little later: moving the date alone would leave the id in the way."""
    of = requests(lambda n: chat(f"Date: {moment(n)}\n{prose(5, 300)}\nTrace: {unique(n)}\n{STABLE}", question(n)))
    finding = only(of, "volatile")

    assert finding.title.startswith("Timestamp and uuid")
    assert len(finding.rewrites) == 2
    assert_heals(of, finding)


def test_several_tasks_behind_a_date_are_each_healed() -> None:
    """Five pipelines that all begin with the date: each has stable text of its own."""
    of = requests(lambda n: chat(f"Date: {moment(n // 5)}\n{prose(20 + n % 5, 4_000)}", question(n)), items=150)
    findings = checked(of).findings
    after = [(i, rewrite_params(p, [r for f in findings for r in f.rewrites])) for i, p in of]

    assert {"volatile"} == {finding.kind for finding in findings}
    assert sum(finding.items for finding in findings) == 150
    assert checked(after).findings == ()
    assert input_usd(after) < 0.5 * input_usd(of)


def test_text_of_the_caller_without_a_known_form_is_a_proposal_only() -> None:
    """Words taken out of a sentence without knowing what they are: the prompt's owner decides."""
    rng = random.Random(4)
    who = [" ".join(rng.choices(WORDS, k=3)) for _ in range(ITEMS)]
    tail = " which sends us its documents every day and expects an answer within two hours at the latest."
    finding = only(requests(lambda n: chat(f"You work for {who[n]}{tail}\n{STABLE}", question(n))), "volatile")

    assert not finding.automatic
    assert finding.texts


def test_clean_requests_have_no_finding() -> None:
    """One long prompt, short questions; also short prompts, single requests and documents before questions."""
    clean: list[Requests] = [
        [],
        requests(lambda n: chat(STABLE, question(n)), items=1),
        requests(lambda n: chat(STABLE, question(n))),
        requests(lambda n: chat(STABLE, "the same question")),
        requests(lambda n: chat("Be brief.", question(n))),
        requests(lambda n: chat(None, f"{prose(300 + n % 6, 5_000)}\n\n{question(n)}")),
        requests(lambda n: chat(prose(n % 3, 4_000), f"Date: {moment(n)}\n{question(n)}")),
        requests(lambda n: chat(None, prose(n, 3_000))),
    ]

    assert [()] * len(clean) == [checked(of).findings for of in clean]


def test_real_prompts_have_no_false_alarm(shared_data: Path) -> None:
    """11,647 real requests without defects: only prefixes that are truly below their model's floor are named."""
    paths = sorted((shared_data / "workloads").glob("requests-*.jsonl.zst"))
    report = doctor_files(paths, BOOK, now=NOW, runs_a_month=30)
    found = report.examination

    assert (found.requests, found.examined, found.sampled, report.rejected) == (11_647, 11_647, False, 0)
    assert {("below_floor", "claude-sonnet-5-5"), ("below_floor", "claude-haiku-4-5")} == {
        (finding.kind, finding.model) for finding in found.findings
    }
    assert found.before_usd == found.after_usd > 0


def test_findings_come_dearest_first_and_say_what_they_rest_on() -> None:
    """Two defects of two pipelines; together they save what both say, measured on all requests."""
    date = FIELDS["date line"][1]
    of = requests(lambda n: chat(date(n) + prose(61, 9_000), question(n)))
    of += [(f"other-{n}", chat(STABLE.replace("\n", "\r\n") if n % 2 else STABLE, question(n))) for n in range(10)]
    found = checked(of)
    rewrites = [rewrite for finding in found.findings for rewrite in finding.rewrites]
    after = [(custom_id, rewrite_params(params, rewrites)) for custom_id, params in of]

    assert [finding.kind for finding in found.findings] == ["volatile", "variants"]
    assert all("estimated" in finding.basis for finding in found.findings)
    assert float(found.before_usd) == pytest.approx(input_usd(of), rel=1e-3)
    assert float(found.after_usd) == pytest.approx(input_usd(after), rel=1e-3)
    json.dumps(found.document(), default=str)
