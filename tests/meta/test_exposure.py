"""What the dashboard lets in and out: closed options, actions that all pass the gate, an example that is right."""

import inspect
import re
import tomllib
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import pytest
from streamlit import config

from core import actions
from core.roles import Role, Roles
from pages import session

READING = {
    "advise",
    "as_it_is",
    "attributed",
    "audit_items",
    "audit_log",
    "cache_plan",
    "candidate_tiers",
    "cascade_of",
    "certainty_path",
    "certificate",
    "check_plan",
    "check_repair",
    "check_trial",
    "class_baselines",
    "class_routes",
    "class_tiers",
    "class_unit",
    "class_units",
    "costs",
    "decomposition",
    "expected_spend",
    "explain",
    "findings",
    "halted",
    "known_events",
    "movements",
    "term_quantiles",
    "list_graders",
    "item_chain",
    "judged_to",
    "known_from",
    "items_to_label",
    "list_schedules",
    "list_trials",
    "missed",
    "naming_rules",
    "next_savings",
    "pairs_to_label",
    "preview_naming",
    "preview_plan",
    "preview_route",
    "preview_trial",
    "preview_unit",
    "price_file",
    "price_list",
    "promises",
    "recommend_cadence",
    "reconcile",
    "rejects_file",
    "repair_preview",
    "rhythm_for",
    "route_alarms",
    "savings_period",
    "schedule_runs",
    "simulated",
    "stage_files",
    "stage_workspace",
    "stop_preview",
    "study_size",
    "trial_standing",
    "watches",
    "what_if",
    "work_between",
    "workload",
}
"""What a viewer may call: nothing here writes a row, or asks the API for more than its list of models."""
ROOMS = {module.name for module in iter_modules(actions.__path__)} - {"writing"}
ACTIONS = [import_module(f"core.actions.{room}") for room in sorted(ROOMS)]


@pytest.fixture(scope="module")
def options(checkout: Path) -> dict[str, Any]:
    """The options that the project sets, by section."""
    return tomllib.loads((checkout / ".streamlit" / "config.toml").read_text())


def test_the_dashboard_is_for_this_machine_until_its_owner_says_otherwise(options: dict[str, Any]) -> None:
    """Loopback, for requests that name it so: a web site's name that was pointed here gets no answer."""
    assert options["server"]["address"] == "127.0.0.1"
    assert set(options["server"]["allowedHosts"]) == {"127.0.0.1", "localhost"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("server.enableXsrfProtection", True),
        ("server.enableCORS", True),
        ("server.corsAllowedOrigins", []),
        ("server.enableStaticServing", False),
        ("server.enableAgentApi", False),
        ("server.trustedUserHeaders", {}),
        ("server.unsafeMetricsUserAttributes", []),
        ("client.showErrorDetails", "none"),
        ("browser.gatherUsageStats", False),
    ],
)
def test_no_option_opens_it_further(option: str, value: object) -> None:
    """As the project runs: forged requests and foreign origins are refused, and no error shows what it came from."""
    assert config.get_option(option) == value


def test_every_action_is_recorded_or_known_to_read_only() -> None:
    """A new action passes the gate, or somebody has thought about why it need not."""
    public = {
        (name, hasattr(member, "__wrapped__"))
        for room in ACTIONS
        for name, member in inspect.getmembers(room, inspect.isfunction)
        if inspect.unwrap(member).__module__ == room.__name__ and not name.startswith("_")
    }

    assert {name for name, recorded in public if not recorded} == READING


@pytest.mark.parametrize("room", ACTIONS, ids=lambda room: str(room.__name__))
def test_what_the_log_keeps_is_really_there(room: ModuleType) -> None:
    """A name that is neither an argument nor an attribute of the result would silently keep nothing."""
    source = inspect.getsource(room)
    decorated = re.findall(r"@recorded\((.*?)\)\ndef (\w+)\(", source, re.DOTALL)
    assert len(decorated) == source.count("@recorded(")
    for names, function in decorated:
        act = inspect.unwrap(getattr(room, function))
        given = set(inspect.signature(act).parameters)
        made = inspect.get_annotations(act, eval_str=True)["return"]
        made = next(iter(getattr(made, "__args__", ())), made)
        kept = set(re.findall(r'"(\w+)"', names.partition(",")[2]))
        assert kept <= given | set(getattr(made, "__dataclass_fields__", ())), function


def test_the_documented_secrets_are_read_as_meant(checkout: Path) -> None:
    """The example of docs/sharing.md is complete, its lists give the roles that it says, and copied as it is it lets
    nobody in: a secret that everybody can read is none.
    """
    text = (checkout / "docs" / "sharing.md").read_text()
    first, second = (
        tomllib.loads(inspect.cleandoc(f"\n{block}")) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    )
    roles = Roles.read(first["roles"])

    assert len(first["auth"]["cookie_secret"]) < session.COOKIE_SECRET_CHARS
    assert set(first["auth"]) == {
        "redirect_uri",
        "cookie_secret",
        "client_id",
        "client_secret",
        "server_metadata_url",
    }
    assert roles.of("ann@example.com") is Role.OPERATOR
    assert roles.of("zoe@example.com") is Role.VIEWER
    assert roles.of("zoe@example.org") is None
    assert Roles.read(second["roles"]).of(None) is Role.OPERATOR


def test_secrets_stay_out_of_the_project(checkout: Path, project_files: list[Path]) -> None:
    """The file with keys and roles is ignored by git."""
    assert Path(".streamlit/secrets.toml") not in project_files
    assert "secrets.toml" in (checkout / ".gitignore").read_text()
