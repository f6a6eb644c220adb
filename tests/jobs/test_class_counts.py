"""What the texts of a class count: found when items come in, kept with the class, and the same as if read anew."""

from pathlib import Path

import pytest

from core.intake.class_tokens import ClassTokens, class_tokens
from core.intake.payloads import PayloadsMissing
from core.prices import PriceBook
from tests.jobs.driving import Bench, lone, prefix, request, shared

BOOK = PriceBook.load()


def tokens(bench: Bench, folder: Path | None = None) -> dict[str, ClassTokens]:
    """What is known of the classes, with the payloads of another folder where one is given."""
    return class_tokens(bench.workspace.store, folder or bench.folder, BOOK, simulated=True)


def forget_counts(bench: Bench) -> None:
    """Make the workspace one whose classes were found before their texts were counted then."""
    bench.workspace.store.write(lambda tx: tx._connection.execute("UPDATE class SET counted_chars = NULL").fetchall())


def uncounted(bench: Bench) -> bool:
    """Whether texts are left to count."""
    return not bench.query("class_samples", most=8, uncounted=True).is_empty()


def test_what_was_counted_when_it_came_in_is_not_read_again(bench: Bench, tmp_path: Path) -> None:
    """Plans are made after every change, and texts are long; the count is what reading them would give."""
    bench.load(*shared("one", 3), *shared("two", 9), *lone(2))
    kept = tokens(bench, tmp_path)

    assert len(kept) == 3
    assert not uncounted(bench)
    forget_counts(bench)
    assert tokens(bench) == kept


def test_texts_of_an_older_workspace_are_read_until_they_are_counted(bench: Bench, tmp_path: Path) -> None:
    """Without its files it cannot be estimated, and the file that is missing says so; the next import counts them."""
    bench.load(*shared("one", 3))
    before = tokens(bench)
    forget_counts(bench)

    assert tokens(bench) == before
    with pytest.raises(PayloadsMissing):
        tokens(bench, tmp_path)
    bench.load(*lone(1))
    assert not uncounted(bench)
    assert tokens(bench, tmp_path)


def test_a_class_is_counted_again_with_every_import_that_adds_to_it(bench: Bench) -> None:
    """What is behind its prefix may be of another kind by then."""
    for number in range(4):
        item = request(f"item-{number}", system=prefix("one"))
        item["params"]["messages"][0]["content"] = ("x" if number % 2 else "Words of ") * 9**number
        bench.load(item)
        kept = tokens(bench)
        forget_counts(bench)
        assert tokens(bench) == kept


def test_what_comes_after_the_first_was_sent_is_counted_anew(bench: Bench) -> None:
    """The class is the same one, of as many items, and its items are longer now."""
    bench.submit(*shared("one", 3))
    before = bench.attempts()["class_id"].unique().to_list()
    later = [request(f"later-{number}", system=prefix("one")) for number in range(3)]
    for item in later:
        item["params"]["messages"][0]["content"] += " An afterthought." * 400
    bench.load(*later)
    kept = tokens(bench)

    assert list(kept) == before
    forget_counts(bench)
    assert tokens(bench) == kept


def test_an_edited_prefix_is_counted_again(bench: Bench) -> None:
    """The class keeps its name, not its tokens, though its items are the same."""
    bench.load(*shared("one", 3))
    (before,) = tokens(bench).values()
    bench.workspace.store.write(
        lambda tx: tx._connection.execute(
            "UPDATE class SET prefix_chars = prefix_chars // 2, prefix_blocks = 0"
        ).fetchall()
    )
    assert uncounted(bench)
    (edited,) = tokens(bench).values()
    assert edited.prefix.tokens < before.prefix.tokens
