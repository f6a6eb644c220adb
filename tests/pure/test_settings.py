"""Settings: one table, overridden by the environment, refused where they cannot have the value."""

from dataclasses import fields
from decimal import Decimal

import pytest

from core.settings import SettingInvalid, Settings


def test_defaults_are_the_apis_limits() -> None:
    """100,000 requests and 256 MB a batch (batch processing page of the API's documentation)."""
    plain = Settings.load({})

    assert (plain.max_job_requests, plain.max_job_bytes) == (100_000, 256_000_000)
    assert Settings() == plain


@pytest.mark.parametrize("name", [setting.name for setting in fields(Settings)])
def test_every_setting_explains_itself_and_can_be_overridden(name: str) -> None:
    """The environment gives `LOTWISE_<NAME>`; the value has the type of the default."""
    (setting,) = (one for one in fields(Settings) if one.name == name)
    kind = type(getattr(Settings, name))
    value = "inline" if name == "executor" else "1" if kind is bool else "3"
    changed = Settings.load({f"LOTWISE_{name.upper()}": value, "LOTWISE_WORKSPACE": "elsewhere"})

    assert setting.metadata["help"].endswith(".")
    assert kind(value) == getattr(changed, name)
    assert kind is type(getattr(changed, name))
    assert all(getattr(changed, other.name) == other.default for other in fields(Settings) if other.name != name)


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator exports is what counts."""
    monkeypatch.setenv("LOTWISE_BLAST_RADIUS_USD", "7.50")

    assert Decimal("7.50") == Settings.load().blast_radius_usd


@pytest.mark.parametrize("name", ["MAX_JOB_REQUESTS", "BLAST_RADIUS_USD", "OUTPUT_SHARE"])
@pytest.mark.parametrize("value", ["", "many", "-1", "nan", "sNaN", "inf", "-inf", "1e999999999", "0x10"])
def test_what_is_no_number_it_can_be_is_refused_by_name(name: str, value: str) -> None:
    """Better no start than a plan on nonsense."""
    with pytest.raises(SettingInvalid) as refused:
        Settings.load({f"LOTWISE_{name}": value})

    assert (f"LOTWISE_{name}", value) == (refused.value.context["setting"], refused.value.context["value"])


@pytest.mark.parametrize("value", ["auto", "inline", "processes", "tcp://127.0.0.1:8786", "tcp://[::1]:8786"])
def test_an_executor_is_a_word_or_an_address(value: str) -> None:
    """The words are those that `open_executor` knows; everything else is the address of a scheduler."""
    assert value == Settings.load({"LOTWISE_EXECUTOR": value}).executor


@pytest.mark.parametrize("value", ["", "Auto", "inline ", "threads", "127.0.0.1:8786", "tcp://host", "tcp://:1", "3"])
def test_a_text_that_is_no_choice_is_refused_with_the_choices(value: str) -> None:
    """A mistyped word is not taken for an address that does not answer."""
    with pytest.raises(SettingInvalid, match=r"auto, inline, processes, or the tcp://host:port"):
        Settings.load({"LOTWISE_EXECUTOR": value})
