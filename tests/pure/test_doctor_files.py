"""The doctor on files: rewritten copies, written proposals, bounded samples, and input that is hard to bear."""

import gzip
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from core.doctor import sample as sampling
from core.doctor.diff import proposal
from core.doctor.examination import Examination, examine, examine_sample
from core.doctor.fields import name_field
from core.doctor.files import doctor_files, rewrite_files, write_proposals
from core.doctor.finding import Finding
from core.doctor.rewrite import WouldOverwrite, rewrite_line, rewrite_params
from core.doctor.sample import Sample
from core.doctor.texts import add_to_end, drop_block, find_text, put
from core.doctor.variants import same_words
from core.prices import PriceBook
from core.requests.lines import read_lines
from tests.strategies import BAD_LINES, Json, few_texts, line, params, request

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
STABLE = "\n".join(
    f"Rule {n}: an invoice of more than {n * 100} euros needs the approval of the ledger." for n in range(60)
)


def dated(number: int) -> Json:
    """A request whose system prompt begins with a date."""
    system = f"Date: 2026-11-{number % 28 + 1:02d}\n{STABLE}"
    return request(f"Question {number} about vendor {number * 7}?", system=system)


def examined(of: list[Json]) -> Examination:
    """What the doctor says of parameters."""
    return examine([(f"i{n}", one) for n, one in enumerate(of)], book=BOOK, now=NOW)


@cache
def dated_finding() -> Finding:
    """What is found in requests that begin with a date."""
    (finding,) = examined([dated(n) for n in range(20)]).findings
    return finding


def write(path: Path, lines: list[bytes]) -> Path:
    """A request file."""
    path.write_bytes(b"\n".join(lines))
    return path


def test_rewritten_files_change_only_what_the_finding_names(tmp_path: Path) -> None:
    """Lines that are not of the class, lines that are no requests and line ends stay byte for byte."""
    plain = b'{"custom_id": "plain",  "params": ' + orjson.dumps(request("Hello", system="Be brief.")) + b"}"
    lines = [line(f"a{n}", dated(n)) for n in range(20)]
    source = write(tmp_path / "a.jsonl", [plain, *lines, b"not a request", b"", plain + b"\r"])
    before = source.read_bytes()
    report = doctor_files([source], BOOK, now=NOW)
    (written,) = rewrite_files([source], tmp_path / "out", report.examination.findings)
    after = (tmp_path / "out" / "a.jsonl").read_bytes().split(b"\n")

    assert [finding.kind for finding in report.examination.findings] == ["volatile"]
    assert (written.lines, written.changed, written.target) == (24, 20, str(tmp_path / "out" / "a.jsonl"))
    assert (report.rejected, report.reasons[0][:2]) == (1, ("a.jsonl", 22))
    assert before == source.read_bytes()
    assert [plain, b"not a request", b"", plain + b"\r"] == [after[0], *after[21:]]
    for number, changed in enumerate(after[1:21]):
        one, other = orjson.loads(lines[number]), orjson.loads(changed)
        assert other["params"]["system"] == STABLE
        assert other["params"]["messages"][0]["content"].endswith(f"\n\nDate: 2026-11-{number % 28 + 1:02d}")
        assert {**one["params"], "system": 0, "messages": 0} == {**other["params"], "system": 0, "messages": 0}
    assert doctor_files([tmp_path / "out" / "a.jsonl"], BOOK, now=NOW).examination.findings == ()


def test_what_a_rewrite_does_not_touch_keeps_its_bytes() -> None:
    """Spaces, numbers and escapes of other parameters are sent as their owner wrote them."""
    findings = examined([dated(n) for n in range(20)]).findings
    rewrites = [rewrite for finding in findings for rewrite in finding.rewrites]
    tail = b'"metadata": {"user_id":  "\\u00e9", "n": 1.50, "big": 123456789012345678901234567890}}}\n'
    sent = line("a", dated(3))[:-2] + b", " + tail
    written = rewrite_line(sent, rewrites)

    assert written != sent
    assert b'{"user_id":  "\\u00e9", "n": 1.50, "big": 123456789012345678901234567890}' in written
    assert written.endswith(b"\n")
    assert orjson.loads(written)["params"]["system"] == STABLE


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_copies_are_packed_as_their_names_say(tmp_path: Path, suffix: str) -> None:
    """A packed file stays one."""
    data = b"\n".join(line(f"a{n}", dated(n)) for n in range(20))
    packed = {"": data, ".gz": gzip.compress(data), ".zst": zstandard.compress(data)}[suffix]
    source = tmp_path / f"a.jsonl{suffix}"
    source.write_bytes(packed)
    found = doctor_files([source], BOOK, now=NOW).examination.findings
    rewrite_files([source], tmp_path / "out", found)
    target = tmp_path / "out" / source.name

    assert target.read_bytes()[:2] == {"": b'{"', ".gz": b"\x1f\x8b", ".zst": b"\x28\xb5"}[suffix]
    assert all(orjson.loads(bytes(read))["params"]["system"] == STABLE for read in read_lines(target))  # type: ignore[arg-type]
    assert [target] == list((tmp_path / "out").iterdir())


def test_nothing_is_ever_written_over(tmp_path: Path) -> None:
    """Neither the source nor an earlier copy."""
    source = write(tmp_path / "a.jsonl", [line("a", dated(1))])
    rewrite_files([source], tmp_path / "out", ())
    for folder in (tmp_path, tmp_path / "out"):
        with pytest.raises(WouldOverwrite):
            rewrite_files([source], folder, ())

    assert source.read_bytes() == (tmp_path / "out" / "a.jsonl").read_bytes()


def test_lines_longer_than_a_request_are_copied_as_they_are(tmp_path: Path) -> None:
    """And told, not examined."""
    long = line("long", request("x" * 33_000_000))
    source = write(tmp_path / "a.jsonl", [long, line("a", dated(1))])
    report = doctor_files([source], BOOK, now=NOW)
    rewrite_files([source], tmp_path / "out", ())

    assert (report.examination.requests, report.rejected) == (1, 1)
    assert source.read_bytes() == (tmp_path / "out" / "a.jsonl").read_bytes()


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_told_and_copied(tmp_path: Path, name: str) -> None:
    """No line can end an examination or be changed by a rewrite."""
    bad = BAD_LINES[name][0].replace(b"\n", b" ")
    rewrites = [rewrite for finding in examined([dated(n) for n in range(20)]).findings for rewrite in finding.rewrites]
    source = write(tmp_path / "a.jsonl", [line(f"a{n}", dated(n)) for n in range(8)] + [bad])
    report = doctor_files([source], BOOK, now=NOW)

    assert (report.examination.requests + report.rejected) == 9
    assert bad == rewrite_line(bad, rewrites)


def test_a_proposal_says_where_how_much_what_changes_and_how() -> None:
    """For the owner of a prompt: Markdown with the dollars and a unified diff."""
    (finding,) = examined([dated(n) for n in range(20)]).findings
    text = proposal(finding)

    assert f"# {finding.title}" in text
    assert f"${finding.saving_month_usd:,.2f} a month" in text
    assert finding.meaning in text
    assert "-Date: 2026-11-" in text
    assert "block 1, system, character 0" in text


def test_what_only_the_owner_can_change_is_written_out(tmp_path: Path) -> None:
    """Beside the rewritten files, once, and only where there is something to say."""
    versions = [STABLE.replace("Rule 7:", "Rule seven:"), STABLE]
    found = examined([request(f"Question {n}?", system=versions[n % 2]) for n in range(12)]).findings
    written = write_proposals(tmp_path, found)

    assert written == tmp_path / "proposals.md"
    assert "+Rule 7:" in written.read_text() or "-Rule 7:" in written.read_text()
    with pytest.raises(WouldOverwrite):
        write_proposals(tmp_path, found)
    assert write_proposals(tmp_path, examined([dated(n) for n in range(20)]).findings) is None


def test_a_message_that_is_all_field_stays() -> None:
    """A message without content would be refused, so nothing is moved out of it."""
    turn = {"role": "user", "content": "and?"}
    of = [
        request()
        | {
            "messages": [
                {"role": "user", "content": f"Date: 2026-11-{n + 1:02d}"},
                {"role": "user", "content": STABLE},
                turn,
            ]
        }
        for n in range(20)
    ]

    assert [finding.kind for finding in examined(of).findings if finding.automatic] == []


@given(st.lists(params(few_texts), max_size=12))
def test_requests_of_any_form_can_be_examined(items: list[Json]) -> None:
    """Whatever the API takes: no check may fail, no money may be lost, every document is plain JSON."""
    found = examined(items)

    assert found.requests == len(items)
    assert found.after_usd <= found.before_usd
    assert all(finding.saving_usd >= 0 for finding in found.findings)
    json.dumps(found.document(), default=str)
    for finding in found.findings:
        assert proposal(finding)


@given(st.lists(params(few_texts), min_size=1, max_size=8), st.data())
def test_rewrites_of_a_class_leave_all_other_requests_alone(items: list[Json], data: st.DataObject) -> None:
    """A rewrite knows its class; anything else comes back as the same object."""
    finding = dated_finding()
    for one in items:
        assert rewrite_params(one, finding.rewrites) is one
    other = data.draw(st.sampled_from(["claude-sonnet-5-5", "claude-haiku-4-5"]))
    assert rewrite_params(dated(2), finding.rewrites) != dated(2)
    foreign = dated(2) | {"model": other}
    assert rewrite_params(foreign, finding.rewrites) is foreign


def test_models_without_a_price_are_named_not_priced_at_zero() -> None:
    """Unknown is never zero."""
    found = examined([dated(n) | {"model": "claude-unheard-of"} for n in range(10)])

    assert (found.findings, found.unpriced, found.examined) == ((), {"claude-unheard-of": 10}, 0)


def test_a_sample_is_bounded_repeatable_and_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large inputs are examined in part: the same part in any order, said so, and priced for all."""
    of = [(f"i{n}", dated(n)) for n in range(1_200)]
    whole = examine(of, book=BOOK, now=NOW)
    found = []
    for order in (of, of[::-1]):
        sample = Sample(most_items=300)
        for custom_id, one in order:
            sample.add(custom_id, one)
        assert (sample.population, sample.size) == (1_200, 300)
        found.append(examine_sample(sample, book=BOOK, now=NOW, runs_a_month=1))
    monkeypatch.setattr(sampling, "MOST_BYTES", 1)
    smallest = Sample(most_bytes=1)
    smallest.add(*of[0])
    smallest.add(*of[1])

    assert found[0].document() == found[1].document()
    assert found[0].sampled and not whole.sampled
    assert "sample" in found[0].findings[0].basis
    assert found[0].findings[0].items == 1_200
    assert float(found[0].findings[0].saving_usd) == pytest.approx(float(whole.findings[0].saving_usd), rel=0.05)
    assert smallest.size == 1


def test_large_system_prompts_are_borne() -> None:
    """A megabyte of system prompt with a date in front of it, in a few requests."""
    large = "x y z " * 170_000
    found = examined([request(f"q{n}", system=f"Date: 2026-11-{n + 1:02d}\n{large}") for n in range(8)])

    assert [finding.kind for finding in found.findings] == ["volatile"]
    assert len(found.findings[0].before.text) < 1_000


def test_deep_and_strange_content_is_borne() -> None:
    """Nested tool input, empty contents, thinking, documents, messages of the assistant only."""
    deep: object = "end"
    for _ in range(150):
        deep = {"in": [deep]} if isinstance(deep, str) else [deep]
    blocks = [
        {"type": "tool_use", "id": "t", "name": "t", "input": {"deep": deep}},
        {"type": "thinking", "thinking": "", "signature": ""},
    ]
    of = [request(system=[{"type": "text", "text": "", "citations": {"enabled": True}}]) for _ in range(7)]
    of += [request() | {"messages": [{"role": "assistant", "content": blocks}]} for _ in range(7)]
    of += [request() | {"messages": [{"role": "user", "content": []}]} for _ in range(7)]

    assert examined(of).findings == ()


def test_texts_are_found_and_changed_by_path() -> None:
    """Strings and single blocks alike; the original stays, what is not on the path is shared."""
    of = request([{"type": "text", "text": "a"}, {"type": "image", "source": {}}], system="S")

    assert find_text(of, ("system", 0)) == (("system",), "S")
    assert find_text(of, ("messages", 0, "content", 0)) == (("messages", 0, "content", 0, "text"), "a")
    for path in [
        ("messages", 0, "content", 1),
        ("messages", 3),
        ("tools", 0),
        ("messages", 0, "content", 0, "text", 1),
    ]:
        assert find_text(of, path) is None
    changed = put(of, ("messages", 0, "content", 0, "text"), "b")
    assert (of["messages"][0]["content"][0]["text"], changed["messages"][0]["content"][0]["text"]) == ("a", "b")
    assert changed["messages"][0]["content"][1] is of["messages"][0]["content"][1]
    assert (of.keys() - {"system"}) == (drop_block(of, ("system",)) or {}).keys()
    assert drop_block(request(), ("messages", 0, "content")) is None
    assert (drop_block(of, ("messages", 0, "content", 0, "text")) or {})["messages"][0]["content"] == [
        of["messages"][0]["content"][1]
    ]
    assert "system" not in (drop_block(of | {"system": [{"type": "text", "text": "x"}]}, ("system", 0, "text")) or {})
    assert add_to_end(request() | {"messages": [{"role": "assistant", "content": "x"}]}, "t") is None


@pytest.mark.parametrize(
    ("values", "before", "name"),
    [
        (["2026-11-22", "2026-11-23"], "Date: ", "timestamp"),
        (["22.11.2026", "23.11.2026"], "", "timestamp"),
        (["3 May 2026", "4 May 2026"], "It is ", "timestamp"),
        (["17", "18", "1,900"], "Item ", "counter"),
        (["Anna", "Bo Li"], "Dear ", "user name"),
        (["a8-x", "b7-y"], "Order no. ", "request id"),
        (["sess_91ab", "sess_77xy"], "In ", "request id"),
        (["deadbeef01", "c0ffee0123"], "", "hexadecimal code"),
        (["blue sky", "green grass"], "Look at the ", "changing text"),
    ],
)
def test_fields_are_named_by_their_form_and_label(values: list[str], before: str, name: str) -> None:
    """A person reads what it is, not only where."""
    assert name == name_field(values, before)


@given(st.text())
def test_same_words_is_a_normal_form(text: str) -> None:
    """Normalising twice changes nothing, and spacing never matters."""
    once = same_words(text)

    assert once == " ".join(once.split())
    assert once == same_words(f" {text}\r\n")
