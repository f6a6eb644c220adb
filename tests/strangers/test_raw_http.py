"""A client made from the documentation alone: plain HTTP, the older version header, the key where the docs put it."""

import json
import time
from typing import Any

import httpx

from tests.strangers.life import CANCELED, KEY, MODEL, TOO_LARGE, TOO_MANY, mixed, params

BATCHES = "/v1/messages/batches"
HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}


def ended(http: httpx.Client, batch: dict[str, Any]) -> dict[str, Any]:
    """The batch when it has ended."""
    while batch["processing_status"] != "ended":
        time.sleep(0.1)
        batch = http.get(f"{BATCHES}/{batch['id']}").json()
    return batch


def test_plain_http_lives_the_whole_life(url: str) -> None:
    """Statuses, bodies and headers are those of the documentation."""
    with httpx.Client(base_url=url, headers=HEADERS) as http:
        created = http.post(BATCHES, json={"requests": mixed()})
        first = created.json()
        assert (created.status_code, first["type"]) == (200, "message_batch")
        assert first["results_url"] is first["ended_at"] is first["cancel_initiated_at"] is None

        done = ended(http, first)
        with http.stream("GET", done["results_url"]) as answer:
            lines = {line["custom_id"]: line["result"] for line in map(json.loads, answer.iter_lines())}
        assert sum(done["request_counts"].values()) == len(lines) == 3
        assert lines["item-0"]["message"]["usage"]["service_tier"] == "batch"
        assert lines["wrong"]["error"]["error"]["type"] == "invalid_request_error"

        second = http.post(BATCHES, json={"requests": CANCELED}).json()
        assert http.post(f"{BATCHES}/{second['id']}/cancel").json()["cancel_initiated_at"] is not None
        assert ended(http, second)["request_counts"]["canceled"] > 0

        page = http.get(BATCHES, params={"limit": 1}).json()
        rest = http.get(BATCHES, params={"limit": 1, "after_id": page["last_id"]}).json()
        assert (page["data"][0]["id"], page["has_more"]) == (second["id"], True)
        assert (rest["data"][0]["id"], rest["has_more"]) == (first["id"], False)

        deleted = http.delete(f"{BATCHES}/{first['id']}").json()
        assert deleted == {"id": first["id"], "type": "message_batch_deleted"}
        assert http.get("/v1/models").json()["data"]
        count = {"model": MODEL, "messages": params()["messages"]}
        assert http.post("/v1/messages/count_tokens", json=count).json()["input_tokens"] > 0


def test_plain_http_meets_documented_errors(url: str) -> None:
    """Every refusal has its status, its type and the id that support asks for."""
    with httpx.Client(base_url=url, headers=HEADERS) as http:
        answers = {
            "empty": http.post(BATCHES, json={"requests": []}),
            "no JSON": http.post(BATCHES, content=b"{"),
            "unknown": http.get(f"{BATCHES}/msgbatch_unknown"),
            "too large": http.post(BATCHES, json={"requests": TOO_LARGE}),
            "too many": http.post(BATCHES, json={"requests": TOO_MANY}),
        }
        answers["no key"] = httpx.get(f"{url}{BATCHES}", headers={"anthropic-version": "2023-06-01"})

    assert {name: (answer.status_code, answer.json()["error"]["type"]) for name, answer in answers.items()} == {
        "empty": (400, "invalid_request_error"),
        "no JSON": (400, "invalid_request_error"),
        "no key": (401, "authentication_error"),
        "unknown": (404, "not_found_error"),
        "too large": (413, "request_too_large"),
        "too many": (429, "rate_limit_error"),
    }
    for answer in answers.values():
        assert answer.json()["type"] == "error"
        assert answer.json()["request_id"] == answer.headers["request-id"]
