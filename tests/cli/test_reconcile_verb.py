"""`reconcile`: the account's reports beside the ledger, as decimal text; and a sentence where no key may read them."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.commands.command_line import main
from core.loopback import LoopbackServer
from core.sandbox import SandboxOptions, create_app
from tests.cli.conftest import Call

CANARY = "sk-ant-admin-canary-0123456789"


@pytest.fixture
def sent(requests_file: Path, call: Call) -> None:
    """A workspace whose requests came back."""
    call("import", requests_file)
    call("submit", "--wait")


def amounts(parts: list[dict[str, Any]]) -> Decimal:
    """What the parts come to; each is text."""
    assert all(isinstance(part["amount"], str) for part in parts)
    return sum((Decimal(part["amount"]) for part in parts), Decimal(0))


@pytest.mark.usefixtures("sent")
def test_report_and_ledger_agree(call: Call, say: Call) -> None:
    """Everything that was sent is in the report, to the last digit; what was read is kept, and asked for no more."""
    told = call("reconcile")
    assert told["reported_usd"] == told["our_usd"]
    assert Decimal(told["our_usd"]) == Decimal(call("savings")["paid"]) > 0
    assert (told["difference_usd"], told["explained"], told["unexplained"], told["flagged"]) == ("0", [], [], [])
    assert {row["kind"] for row in told["rows"]} >= {"input", "output"}
    assert sum(Decimal(row["our_usd"]) for row in told["rows"]) == Decimal(told["our_usd"])
    assert {(each["share"], each["agreed"], each["agrees"]) for each in told["discount"]} == {("0", "0", True)}

    kept = call("reconcile", "--kept")
    assert (kept["read_at"], kept["rows"]) == (told["read_at"], told["rows"])
    assert "reported usd: $" in say("reconcile", "--kept")


@pytest.mark.usefixtures("sent")
def test_days_and_workspaces_narrow_it(call: Call) -> None:
    """A period without work has nothing; of another workspace everything is explained by that, or is missing."""
    last = call("reconcile")["period"]["last"]
    early = call("reconcile", "--from", "2026-02-01", "--to", "2026-02-03")
    assert (early["rows"], early["days_unread"]) == ([], [])
    unread = call("reconcile", "--from", "2026-03-01", "--to", "2026-03-02", "--kept")
    assert unread["days_unread"] == ["2026-03-01", "2026-03-02"]
    other = call("reconcile", "--from", last, "--kept", "--account-workspace", "wrkspc_other")
    assert {part["name"] for part in other["explained"]} == {"other_workspace", "incomplete"}
    whole = amounts(other["explained"]) + amounts(other["unexplained"])
    assert whole == Decimal(other["difference_usd"]) == 0


def test_the_discount_of_a_report_is_taken_over_on_record(
    requests_file: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --take-discount it becomes a contract price; the ledger is priced by it and agrees with the report."""
    with LoopbackServer(create_app(SandboxOptions(discount=0.2, time_scale=400))) as account:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", account.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        monkeypatch.setenv("LOTWISE_POLL_SECONDS", "0.05")
        call("import", requests_file)
        call("submit", "--wait")
        before = call("reconcile")
        taken = call("reconcile", "--take-discount")

    assert [part["name"] for part in before["explained"]] == ["discount"]
    assert {each["share"] for each in before["discount"]} == {"0.2"}
    assert (taken["explained"], len(taken["taken"])) == ([], 1)
    assert Decimal(taken["our_usd"]) == Decimal(before["our_usd"]) * Decimal("0.8")
    assert Decimal(call("prices")["contract"][0]["discount"]) == Decimal("0.2")


def test_a_key_that_may_not_is_told_what_to_do(
    requests_file: Path,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    workspace_dir: Path,
) -> None:
    """Exit 1 with a sentence; with the Admin key in the environment it works, and nothing ever holds or shows it."""
    with LoopbackServer(create_app(admin_key=CANARY)) as account:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", account.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-usual")
        call("import", requests_file)
        capsys.readouterr()
        assert main(["reconcile"]) == 1
        refused = capsys.readouterr()
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", CANARY)
        assert main(["reconcile", "--json"]) == 0
        read = capsys.readouterr()

    assert "ANTHROPIC_ADMIN_KEY" in refused.err
    assert CANARY not in refused.out + refused.err + read.out + read.err
    files = [path for path in workspace_dir.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("wrong", [["--from", "yesterday"], ["--from", "2026-03-02", "--to", "2026-03-01"], ["--read"]])
def test_wrong_usage(wrong: list[str]) -> None:
    """Exit 2 where a day is none, or the days are the wrong way round."""
    with pytest.raises(SystemExit) as ended:
        main(["reconcile", *wrong])
    assert ended.value.code == 2
