"""Naming rules: what the defaults infer, what a rule can say, and that no pattern breaks or hangs anything."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.history.naming import NamingRules, RulesInvalid, default_text

CASES = json.loads((Path(__file__).parent / "cases" / "naming.json").read_text())
MODEL, BATCH = "claude-sonnet-5-5", "msgbatch_01"
custom_ids = st.text("abzAZ0123456789_-", min_size=1, max_size=64)


def named(rules: NamingRules, *ids: str, model: str = MODEL, batch: str = BATCH) -> pl.DataFrame:
    """What the rules make of these ids."""
    rows = {"custom_id": list(ids), "model": [model] * len(ids), "batch_id": [batch] * len(ids)}
    return rules.name(pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String)))


def rules(*tables: str) -> NamingRules:
    """Rules of these tables."""
    return NamingRules.parse("".join(f"[[rule]]\n{table}\n" for table in tables))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["custom_id"])
def test_the_defaults_strip_what_counts_items(case: dict[str, str]) -> None:
    """Counters, dates, hashes and UUIDs are no names; an id that says nothing else is named after its model."""
    assert named(NamingRules.parse(default_text()), case["custom_id"])["class_name"][0] == case["class"], case["why"]


@given(st.lists(custom_ids, min_size=1, max_size=30, unique=True))
def test_every_item_gets_a_name_and_an_id_of_its_own(ids: list[str]) -> None:
    """Whatever its owner called it; and no id made here can be that of an imported item, which has no slash."""
    found = named(NamingRules.parse(default_text()), *ids)

    assert found["custom_id"].to_list() == ids
    assert found["class_name"].str.len_chars().min() > 0  # type: ignore[operator]
    assert found["item_id"].n_unique() == len(ids)
    assert found["item_id"].str.contains("/").all()
    assert not found["named"].any()


def test_the_first_rule_that_fits_wins() -> None:
    """Order is the owner's; filters on model and batch are part of fitting."""
    of = rules(
        'pattern = "^doc"\nclass = "papers of {batch}"\nbatch = "_02$"',
        'pattern = "^doc"\nclass = "{model} documents"\nmodel = "haiku"',
        'pattern = "^(?P<kind>[a-z]+)"\nclass = "{kind}s"',
    )

    assert named(of, "doc-1")["class_name"].to_list() == ["docs"]
    assert named(of, "doc-1", model="claude-haiku-5-5")["class_name"].to_list() == ["claude-haiku-5-5 documents"]
    found = named(of, "doc-1", "7", model="claude-haiku-5-5", batch="msgbatch_02")
    assert found["class_name"].to_list() == ["papers of msgbatch_02", "claude-haiku-5-5"]
    assert found["rule"].to_list() == [1, None]


def test_a_rule_that_makes_an_empty_name_does_not_fit() -> None:
    """A group that took no part is no name; the next rule is asked."""
    of = rules('pattern = "^(?P<a>x)?"\nclass = " {a} "', 'pattern = "."\nclass = "rest"')

    assert named(of, "x1", "y1")["class_name"].to_list() == ["x", "rest"]


def test_a_group_called_item_makes_attempts_of_one_item() -> None:
    """The same work tried again under another id, or in another batch, is one item; in another class it is another."""
    of = rules('pattern = "^(?P<kind>[a-z]+)-(?P<item>[0-9]+)(?:-try[0-9])?$"\nclass = "{kind}"')

    found = named(of, "sum-7", "sum-7-try2", "grade-7", "other")
    assert found["item_id"].to_list() == ["sum/7", "sum/7", "grade/7", "msgbatch_01/other"]
    assert found["named"].to_list() == [True, True, True, False]


def test_no_rule_at_all_is_allowed() -> None:
    """Then every class is a model."""
    assert named(NamingRules.parse("# nothing\n"), "a-1")["class_name"].to_list() == [MODEL]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[rule]\n", "no TOML"),
        ("rules = 3", "only [[rule]] tables"),
        ("rule = 3", "only [[rule]] tables"),
        ("[[rule]]\nclass = 'a'", "rule: 1, why: it has no pattern"),
        ("[[rule]]\npattern = 'a'", "it has no class"),
        (
            "[[rule]]\npattern = 'a'\nclass = 'a'\n[[rule]]\npattern = '('\nclass = 'a'",
            "rule: 2, why: its pattern is no",
        ),
        ("[[rule]]\npattern = 'a'\nclass = 'a'\nmodel = '['", "its model is no regular expression"),
        ("[[rule]]\npattern = '(?=a)b'\nclass = 'a'", "look-around"),
        ("[[rule]]\npattern = '(a{1000}){1000}'\nclass = 'a'", "exceeds size limit"),
        (f"[[rule]]\npattern = '{'a' * 501}'\nclass = 'a'", "longer than 500"),
        ("[[rule]]\npattern = 'a'\nclass = '{name}'", "names {name}, but there is only {model}, {batch}"),
        ("[[rule]]\npattern = '(?P<n>a)'\nclass = '{n.x}'", "there is only {n}"),
        ("[[rule]]\npattern = '(?P<n>a)'\nclass = '{n!r}'", "there is only {n}"),
        ("[[rule]]\npattern = 'a'\nclass = '{'", "a brace too many"),
        ("[[rule]]\npattern = '(?P<model>a)'\nclass = '{model}'", "a group 'model'"),
        ('[[rule]]\npattern = "a"\nclass = "a\\nb"', "is not a line"),
        ("[[rule]]\npattern = 'a'\nclass = 'a'\nname = 'b'", "there is no 'name'"),
        ("[[rule]]\npattern = 3\nclass = 'a'", "pattern is not a text"),
        ("[[rule]]\npattern='a'\nclass='a'\n" * 101, "most: 100"),
        ("# " + "x" * 100_000, "most: 100000"),
    ],
)
def test_rules_that_cannot_be_used_are_refused_in_a_sentence(text: str, says: str) -> None:
    """Which rule, and what is wrong with it: nobody has to read a traceback of a regex engine."""
    with pytest.raises(RulesInvalid) as refused:
        NamingRules.parse(text)

    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|aa)+!$", r"(\w*\w*\w*\w*)*!$", "((a?){40}){40}b$"])
def test_a_pattern_that_hangs_other_engines_is_only_a_pattern(pattern: str) -> None:
    """Time is linear in the text: ten thousand of the worst ids are through before the test's own limit."""
    found = named(rules(f"pattern = '{pattern}'\nclass = 'a'"), *("a" * 63 + "!" for _ in range(10_000)))

    assert found.height == 10_000
