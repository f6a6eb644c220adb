"""Takes in the body of a create: refuses a malformed list at once, leaves errors in params to the items."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from core.sandbox.answers import TEXT, answer_to
from core.sandbox.batch import Draft, Shape
from core.sandbox.body import NotSliceable, sliced_requests, whole_requests
from core.sandbox.catalogue import Catalogue
from core.sandbox.params import BadParamsError, Problem, check
from core.sandbox.prompt import read_prompt
from core.sandbox.quality import topic_of
from core.sandbox.wire_errors import WireError

MAX_REQUESTS = 100_000
MAX_BATCH_BYTES = 256_000_000
MAX_MESSAGE_BYTES = 32_000_000
MAX_CUSTOM_ID = 64
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]+")


def read_batch(body: bytearray, catalogue: Catalogue, *, long_output: bool = False) -> Draft:
    """The requests of a create in compact form."""
    try:
        return _read(sliced_requests(body), catalogue, long_output=long_output)
    except NotSliceable:
        return _read(whole_requests(body), catalogue, long_output=long_output)


def _read(requests: Iterable[Any], catalogue: Catalogue, *, long_output: bool) -> Draft:
    writer = _DraftWriter(catalogue, long_output=long_output)
    for index, request in enumerate(requests):
        if index == MAX_REQUESTS:
            raise WireError.bad_request(f"requests: List should have at most {MAX_REQUESTS} items")
        writer.add(*_split(index, request))
    if not writer.draft.custom_ids:
        raise WireError.bad_request("requests: List should have at least 1 item")
    return writer.draft


def shape_of(
    params: Mapping[str, Any], catalogue: Catalogue, *, batch: bool, long_output: bool = False
) -> tuple[Shape, int, int]:
    """The shape, topic and input tokens of one request; raises BadParamsError where the API would refuse it."""
    model = check(params, catalogue, batch=batch, long_output=long_output)
    prompt = read_prompt(params, model)
    shape = Shape(
        model=model.id,
        max_tokens=params["max_tokens"],
        geo=params.get("inference_geo") or "global",
        prefix=prompt.prefix,
        answer=answer_to(params),
        problem=None,
    )
    return shape, topic_of(params) if shape.answer.choices else 0, prompt.tokens


def _split(index: int, request: object) -> tuple[str, dict[str, Any]]:
    where = f"requests.{index}"
    if not isinstance(request, dict):
        raise WireError.bad_request(f"{where}: Input should be an object")
    custom_id = request.get("custom_id")
    if not isinstance(custom_id, str):
        raise WireError.bad_request(f"{where}.custom_id: Field required")
    if len(custom_id) > MAX_CUSTOM_ID:
        raise WireError.bad_request(f"{where}.custom_id: String should have at most {MAX_CUSTOM_ID} characters")
    if not _CUSTOM_ID.fullmatch(custom_id):
        raise WireError.bad_request(
            f"{where}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,{MAX_CUSTOM_ID}}}$'"
        )
    params = request.get("params")
    if not isinstance(params, dict):
        raise WireError.bad_request(f"{where}.params: Field required")
    return custom_id, params


class _DraftWriter:
    """Fills a draft; equal shapes and equal prefixes are kept once."""

    def __init__(self, catalogue: Catalogue, *, long_output: bool) -> None:
        self.draft = Draft()
        self._catalogue = catalogue
        self._long_output = long_output
        self._seen: set[str] = set()
        self._known: dict[object, int] = {}

    def add(self, custom_id: str, params: dict[str, Any]) -> None:
        if custom_id in self._seen:
            raise WireError.bad_request(f"requests: custom_id '{custom_id}' is used more than once")
        self._seen.add(custom_id)
        shape, topic, tokens = self._shape(params)
        # The running hash of the last marked block stands for all blocks before it.
        prefix = (shape.prefix.hashes[-1], shape.prefix.marks) if shape.prefix else None
        key = (shape.model, shape.max_tokens, shape.geo, prefix, shape.answer, shape.problem)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.draft.shapes)
            self.draft.shapes.append(shape)
        self.draft.custom_ids.append(custom_id)
        self.draft.shape_of.append(number)
        self.draft.topics.append(topic)
        self.draft.tokens.append(tokens)

    def _shape(self, params: dict[str, Any]) -> tuple[Shape, int, int]:
        try:
            return shape_of(params, self._catalogue, batch=True, long_output=self._long_output)
        except BadParamsError as error:
            return _refused(error.problem), 0, 0


def _refused(problem: Problem) -> Shape:
    return Shape(model="", max_tokens=0, geo="", prefix=None, answer=TEXT, problem=problem)
