"""The audit log: nothing is done without an entry, viewers change nothing, and no text gets in that was not named."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.audit import Entry, NotAllowed, Outcome, entries, note, recorded
from core.errors import LotwiseError
from core.roles import Actor, Role, Way
from core.store import Store

ANN = Actor(name="ann@example.com", role=Role.OPERATOR, how=Way.BROWSER)
BOB = Actor(name="bob@example.com", role=Role.VIEWER, how=Way.BROWSER)


class Broken(LotwiseError):
    """This did not work. Try something else."""


@dataclass(frozen=True)
class Made:
    """What the action below returns."""

    job_id: str
    items: int
    prompt: str = "secret words"


@dataclass
class Hands:
    """A store in somebody's hands, and what was done with it."""

    store: Store
    actor: Actor
    done: list[str]


@recorded("make", "job_id", "items", "ids")
def make(hands: Hands, job_id: str, *, ids: tuple[str, ...] = (), prompt: str = "", dry_run: bool = False) -> Made:
    """Do something that is recorded."""
    if job_id == "refuse":
        raise Broken(job=job_id, prompt=prompt)
    if job_id == "break":
        raise ZeroDivisionError(prompt)
    if not dry_run:
        hands.done.append(job_id)
    return Made(job_id=f"{job_id}-2", items=7)


@recorded("look", needs=Role.VIEWER)
def look(hands: Hands) -> list[Made]:
    """Do something that everybody may."""
    return [Made(job_id="x", items=1)]


@recorded("many", "items")
def many(hands: Hands) -> list[Made]:
    """Do something with several results."""
    return [Made(job_id="x", items=number) for number in range(3)]


@pytest.fixture
def hands(workspace_dir: Path) -> Iterator[Hands]:
    """An open store in an operator's hands."""
    store = Store.open(workspace_dir / "lotwise.duckdb")
    try:
        yield Hands(store=store, actor=ANN, done=[])
    finally:
        store.close()


def test_an_entry_says_who_did_what_how_and_what_came_of_it(hands: Hands) -> None:
    """Arguments and results by their names; a result called like an argument does not hide it."""
    made = make(hands, "j1", ids=("a", "b"))
    (entry,) = entries(hands.store, limit=9)

    assert made.items == 7 and hands.done == ["j1"]
    assert (entry.actor, entry.role, entry.how) == ("ann@example.com", "operator", "browser")
    assert (entry.action, entry.outcome, entry.sentence) == ("make", Outcome.DONE, None)
    assert entry.subject == {"job_id": "j1", "ids": ["a", "b"], "new_job_id": "j1-2", "items": 7}
    assert entry.acted_at.tzinfo is not None and abs(datetime.now(UTC) - entry.acted_at) < timedelta(minutes=5)


def test_a_viewer_changes_nothing_and_the_attempt_is_on_record(hands: Hands) -> None:
    """The rule holds below the pages: whoever calls the action in a viewer's name is refused, and seen."""
    with pytest.raises(NotAllowed) as refused:
        make(replace(hands, actor=BOB), "j1")
    look(replace(hands, actor=BOB))

    looked, tried = entries(hands.store, limit=9)
    assert hands.done == []
    assert refused.value.context == {"who": "bob@example.com", "role": "viewer"}
    assert (tried.actor, tried.outcome, tried.subject) == ("bob@example.com", Outcome.REFUSED, {"job_id": "j1"})
    assert tried.sentence == refused.value.message
    assert (looked.action, looked.outcome) == ("look", Outcome.DONE)


def test_what_fails_is_on_record_too(hands: Hands) -> None:
    """A refusal keeps its sentence; a fault only its kind, since its text may quote a prompt."""
    with pytest.raises(Broken):
        make(hands, "refuse", prompt="secret words")
    with pytest.raises(ZeroDivisionError):
        make(hands, "break", prompt="secret words")

    broke, refused = entries(hands.store, limit=9)
    assert (refused.outcome, refused.sentence) == (Outcome.REFUSED, "This did not work. Try something else.")
    assert (broke.outcome, broke.sentence) == (Outcome.FAILED, "ZeroDivisionError")
    assert "secret" not in hands.store.query("export_audit").write_csv()


def test_the_entry_is_there_before_the_action_runs(hands: Hands) -> None:
    """A process that dies in the middle of an action leaves an entry that says it was begun."""
    seen: list[Entry] = []

    @recorded("watch")
    def watch(hands: Hands) -> None:
        seen.extend(entries(hands.store, limit=9))

    watch(hands)

    assert [entry.outcome for entry in seen] == [Outcome.BEGUN]
    assert [entry.outcome for entry in entries(hands.store, limit=9)] == [Outcome.DONE]


def test_a_dry_run_is_for_everybody_and_leaves_no_entry(hands: Hands) -> None:
    """It changes nothing, so there is nothing to forbid and nothing to remember."""
    assert make(replace(hands, actor=BOB), "j1", dry_run=True).items == 7
    assert hands.done == []
    assert entries(hands.store, limit=9) == ()


def test_what_is_not_named_is_not_kept(hands: Hands) -> None:
    """Arguments and attributes get into the log by name only; long lists are cut short and say so."""
    make(hands, "j1", ids=tuple(str(number) for number in range(1_020)), prompt="secret words")
    many(hands)

    several, one = entries(hands.store, limit=9)
    assert several.subject == {"items": [0, 1, 2]}
    assert len(one.subject["ids"]) == 21 and one.subject["ids"][-1] == "and 1,000 more"
    assert "secret" not in hands.store.query("export_audit").write_csv()


def test_the_worker_writes_into_the_transaction_that_does_it(hands: Hands) -> None:
    """What it does by itself is on record exactly if it was done."""

    def undone() -> None:
        def task(tx: object) -> None:
            note(tx, "twin canceled", job_id="j1")  # type: ignore[arg-type]
            raise Broken

        hands.store.write(task)

    with pytest.raises(Broken):
        undone()
    hands.store.write(lambda tx: note(tx, "twin canceled", job_id="j2"))

    (entry,) = entries(hands.store, limit=9)
    assert (entry.actor, entry.how, entry.outcome) == ("worker", "worker", Outcome.DONE)
    assert entry.subject == {"job_id": "j2"}


def test_filters_find_one_person(hands: Hands) -> None:
    """The newest entries of everybody, or of one, and the whole in order for the export."""
    for number in range(3):
        make(hands, f"j{number}")
        look(replace(hands, actor=BOB))

    assert [entry.subject["job_id"] for entry in entries(hands.store, limit=2, actor="ann@example.com")] == ["j2", "j1"]
    assert entries(hands.store, limit=9, actor="nobody") == ()
    assert hands.store.query("export_audit")["number"].to_list() == list(range(1, 7))
    assert hands.store.query("audit_names").row(0) == (["ann@example.com", "bob@example.com"], ["look", "make"])
