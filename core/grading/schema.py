"""Answers that a JSON Schema must allow."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from core.grading.grade import BadGrader, Grade, Spec
from core.grading.part import NoSuchPart, canonical, field_of, json_of, steps_of
from core.grading.pattern import is_found, require_pattern


class Schema(Spec, frozen=True, kw_only=True, tag="schema"):
    """The answer is JSON that the `schema` allows, and has in the fields named by `equal` what the gold answer has.

    The draft is the one that `$schema` names, else 2020-12. Formats are not checked, and nothing is fetched: the
    schema holds all that it refers to. Patterns are as in `core/grading/pattern.py`.
    """

    schema: dict[str, Any]
    equal: tuple[str, ...] = ()
    fenced: bool = False

    def __post_init__(self) -> None:
        for field in self.equal:
            steps_of(field)
        if not isinstance(self.schema.get("$schema", ""), str):
            raise BadGrader(at="$schema", why="it must be a text")
        for pattern in _patterns(self.schema):
            require_pattern(pattern)
        _require_schema(self.schema)

    @property
    def needs(self) -> frozenset[str]:
        """The gold answer, where fields must equal its own."""
        return frozenset(("gold",)) if self.equal else frozenset()

    @property
    def sentence(self) -> str:
        """When an answer is right."""
        equal = f" and has the gold answer's {', '.join(self.equal)}" if self.equal else ""
        return f"An answer is right where it is JSON that the schema allows{equal}."

    def grade(self, answer: str, *, gold: str | None = None, reference: str | None = None) -> Grade:
        """Right where the schema allows it, and the fields are equal."""
        if self.equal and gold is None:
            return Grade(correct=None, note="There is no gold answer for this item.")
        try:
            expected = [canonical(field_of(json_of(gold or "", fenced=self.fenced), field)) for field in self.equal]
        except NoSuchPart as error:
            return Grade(correct=None, note=f"The gold answer {error.message}.")
        try:
            value = json_of(answer, fenced=self.fenced)
            if broken := _broken_rule(self.schema, value):
                return Grade(correct=False, note=f"It breaks the schema at {broken}.")
            found = [canonical(field_of(value, field)) for field in self.equal]
        except NoSuchPart as error:
            return Grade(correct=False, note=f"The answer {error.message}.")
        except _Unknowable as error:
            return Grade(correct=None, note=str(error), lost=True)
        different = [field for field, mine, true in zip(self.equal, found, expected, strict=True) if mine != true]
        note = f"It differs from the gold answer in {', '.join(different)}." if different else ""
        return Grade(correct=not different, note=note)


class _Unknowable(Exception):
    """Whether a schema allows a value cannot be found out."""


def _require_schema(schema: dict[str, Any]) -> None:
    from jsonschema import SchemaError  # noqa: PLC0415 - takes a fifth of a second

    validator = _validator(schema)
    try:
        validator.check_schema(schema)
        # What loops whatever the value is loops for this one.
        _broken_rule(schema, None)
    except SchemaError as error:
        place = "/".join(map(str, error.absolute_path)) or "its top"
        raise BadGrader(at=place, why=error.message) from error
    except RecursionError as error:
        raise BadGrader(why="the schema is nested too deeply") from error
    except _Unknowable as error:
        raise BadGrader(why=str(error)) from error


def _broken_rule(schema: dict[str, Any], value: Any) -> str | None:
    """The rule of the schema that a value breaks, by its place in the schema; None where it breaks none."""
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - comes with jsonschema

    try:
        error = next(_validator(schema).iter_errors(value), None)
    except Unresolvable as why:
        raise _Unknowable("The schema refers to something that is not in it.") from why
    except RecursionError as why:
        raise _Unknowable("The schema refers to itself without end, or the answer is nested too deeply.") from why
    return None if error is None else "/".join(map(str, error.absolute_schema_path))


def _validator(schema: dict[str, Any]) -> Any:
    from referencing import Registry  # noqa: PLC0415

    # An empty registry: the default one would fetch what a schema refers to from the network.
    return _draft(schema.get("$schema"))(schema, registry=Registry())


@cache
def _draft(name: object) -> Any:
    """The validator of a draft, with our patterns."""
    from jsonschema import Draft202012Validator, ValidationError, validators  # noqa: PLC0415

    def pattern(validator: Any, rule: str, instance: Any, _: Any) -> Iterator[Any]:
        if validator.is_type(instance, "string") and not is_found(rule, instance):
            yield ValidationError("does not match")

    draft = Draft202012Validator if name is None else validators.validator_for({"$schema": name}, default=None)
    if draft is None:
        raise BadGrader(draft=name, why="$schema names no draft of JSON Schema that is known here")
    return validators.extend(draft, {"pattern": pattern})


def _patterns(schema: Any) -> Iterator[str]:
    """Every value of a keyword `pattern`, wherever it stands."""
    stack = [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if isinstance(part.get("pattern"), str):
                yield part["pattern"]
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)
