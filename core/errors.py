"""The error tree: every refusal says what happened and what to do next.

```
LotwiseError
```
Subclasses live beside the noun that raises them (`StoreBusy` in `core/store`, `UnknownModel` in `core/prices`, …).
"""

from typing import Any


class LotwiseError(Exception):
    """Lotwise could not do this; nothing was lost. Try again, or report it with the text above.

    A subclass's docstring is its default message: the first sentence says what happened, the rest what to do next.
    `context` is shown after it as `key: value` pairs and is handed on in `--json` output.
    """

    def __init__(self, message: str | None = None, **context: Any) -> None:
        self.message = message or " ".join((type(self).__doc__ or "").split())
        self.context = context
        super().__init__(self.message)

    def __str__(self) -> str:
        details = ", ".join(f"{key}: {value}" for key, value in self.context.items() if value is not None)
        return f"{self.message} ({details})" if details else self.message
