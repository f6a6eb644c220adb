"""Direct messages and token counts: answered at once, with a prompt cache apart from that of batches."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.sandbox.batch import microseconds
from core.sandbox.cache import PromptCache
from core.sandbox.catalogue import Catalogue
from core.sandbox.intake import shape_of
from core.sandbox.message import message
from core.sandbox.options import SandboxOptions
from core.sandbox.outcomes import Draw, Outcome, fate
from core.sandbox.params import BadParamsError
from core.sandbox.wire_errors import WireError

_ORDINAL = 0  # batches count from 1
_STATUS_OF = {"not_found_error": 404}


class Messages:
    """Answers direct messages; the rates of errors and expiry are for items of batches only."""

    def __init__(self, options: SandboxOptions, catalogue: Catalogue, clock: Callable[[], datetime]) -> None:
        self._options = replace(options, error_rate=0.0, expiry_rate=0.0)
        self._catalogue = catalogue
        self._clock = clock
        self._cache = PromptCache(options.time_scale)
        self._lock = threading.Lock()

    def answer(self, params: Mapping[str, Any], number: int) -> dict[str, Any]:
        """The Message for these params; `number` tells equal requests apart."""
        with _as_wire_error():
            shape, topic, tokens = shape_of(params, self._catalogue, batch=False)
        now_us = microseconds(self._clock())
        with self._lock:
            cache = self._cache.use(shape.model, shape.prefix, start_us=now_us, response_us=now_us)
        draw = Draw.of(self._options.seed, _ORDINAL, str(number))
        return message(
            key=f"{now_us}/{number}",
            name=f"message {number}",
            shape=shape,
            topic=topic,
            input_tokens=tokens,
            cache=cache,
            outcome=fate(draw, self._options) if shape.max_tokens else Outcome.TRUNCATED,
            draw=draw,
            options=self._options,
            service_tier="standard",
        )

    def count(self, params: Mapping[str, Any]) -> dict[str, int]:
        """The input tokens of these params, which need no max_tokens."""
        model = self._catalogue.find(str(params.get("model")))
        most = model.max_tokens if model else 1  # no thinking budget is too large for it
        with _as_wire_error():
            _, _, tokens = shape_of({**params, "max_tokens": most}, self._catalogue, batch=False)
        return {"input_tokens": tokens}


class _as_wire_error:  # noqa: N801 - reads as a verb where it is used
    """Turns a refused request into the answer 400 or 404."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BadParamsError):
            problem = error.problem
            raise WireError(_STATUS_OF.get(problem.kind, 400), problem.kind, problem.message) from None
