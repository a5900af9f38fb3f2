"""The reference of a problem file, from the docstrings of the contract's models."""

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from inspect import cleandoc
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs.drift.markdown import table
from millrace.contract import (
    aggregations,
    changes,
    constraints,
    extract,
    feature_nodes,
    label,
    modelling,
    names,
    override,
    problem,
    retention,
    schedules,
    serving,
    source,
    star,
    topic,
)
from millrace.contract.feature_nodes import FeatureNode
from millrace.contract.model import Model
from millrace.contract.modelling import DEFAULT_SEARCH_SPACE
from millrace.contract.source import ColumnName, Identifier, Scalar

HEAD = """\
# The problem file, key by key

One YAML file in `include/problems/` describes one prediction problem. Its name is the problem's name. A key that is
not on this page is an error, with a hint. [How to add a problem](../how-to/add-a-problem.md) shows the keys at work.
"""

PARTS: tuple[type[Model], ...] = (
    problem.Problem,
    source.Source,
    source.Column,
    source.CrossColumnRule,
    source.Quality,
    changes.Changes,
    topic.Topic,
    extract.Extract,
    label.Label,
    aggregations.EventLabel,
    aggregations.Where,
    aggregations.Aggregation,
    override.Override,
    *get_args(get_args(FeatureNode)[0]),
    modelling.Training,
    modelling.SearchRange,
    modelling.Split,
    modelling.Gate,
    modelling.GroupLimit,
    serving.Serving,
    serving.RiskBand,
    schedules.Schedules,
    retention.Retention,
    star.Star,
    star.Fact,
    star.Dimension,
)
"""Every model of the contract, in the order in which a reader meets them."""


def _pattern(one: Any) -> str | None:
    """The pattern of a part of pydantic's metadata, if it is one."""
    told = one.metadata if isinstance(one, FieldInfo) else [one]
    return next((part.pattern for part in told if hasattr(part, "pattern")), None)


WORDS: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    Identifier: "name (`a-z`, `0-9`, `_`; at most 40)",
    ColumnName: "column name (at most 63)",
    Scalar: "text, number, true or false",
    FeatureNode: "[feature](#features)",
    type(None): "nothing",
}


NAMES = {_pattern(get_args(kind)[1]): WORDS[kind] for kind in (Identifier, ColumnName)}


def problem_page() -> str:
    """The page."""
    return "\n".join([HEAD, *(_part(model) for model in PARTS), _search_space(), _reasons(), _names()])


def _part(model: type[Model]) -> str:
    heading = f"## {model.__name__}\n\n" if not _is_feature(model) else f"### {_kind(model)}\n\n"
    if model is get_args(get_args(FeatureNode)[0])[0]:
        told = (feature_nodes.__doc__ or "").split("\n\n")[0]
        heading = f"## Features\n\n{told}\n\n{heading}"
    # What only this part has comes first.
    fields = sorted(model.model_fields.items(), key=lambda one: one[0] not in model.__annotations__)
    rows = [_row(name, field) for name, field in fields]
    return f"{heading}{cleandoc(model.__doc__ or '')}\n\n{table(('key', 'value', 'default', 'meaning'), rows)}"


def _row(name: str, field: FieldInfo) -> Sequence[str]:
    # Pydantic takes the pattern of a name away from its type.
    named = [words for pattern, words in NAMES.items() if any(_pattern(one) == pattern for one in field.metadata)]
    words = ", ".join([named[0] if named else _words(field.annotation), *_limits(field.metadata)])
    meaning = field.description or ("The kind of feature." if name == "kind" else "")
    return f"`{name}`", words, "**required**" if field.is_required() else _default(field), meaning


def _words(annotation: Any) -> str:  # noqa: PLR0911 -- one line for each kind of type
    """A type in words."""
    for known, words in WORDS.items():
        if annotation is known or annotation == known:
            return words
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(one) for one in arguments if one is not type(None))
    if origin is tuple:
        return f"list of {_words(arguments[0])}" if arguments and arguments != ((),) else "empty list"
    if origin is dict:
        return f"map of {_words(arguments[0])} to {_words(arguments[1])}"
    return f"[{annotation.__name__}](#{annotation.__name__.lower()})"


def _limits(metadata: Sequence[Any]) -> Iterator[str]:
    shortest = next((one.min_length for one in metadata if isinstance(one, MinLen)), None)
    longest = next((one.max_length for one in metadata if isinstance(one, MaxLen)), None)
    if shortest is not None and shortest == longest:
        yield f"exactly {shortest}"
        metadata = [one for one in metadata if not isinstance(one, MinLen | MaxLen)]
    for one in metadata:
        match one:
            case MinLen(min_length=1):
                yield "not empty"
            case Ge(ge=limit):
                yield f"≥ {limit:g}"
            case Gt(gt=limit):
                yield f"> {limit:g}"
            case Le(le=limit):
                yield f"≤ {limit:g}"
            case Lt(lt=limit):
                yield f"< {limit:g}"
            case MinLen(min_length=length):
                yield f"at least {length}"
            case MaxLen(max_length=length):
                yield f"at most {length}"


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is PydanticUndefined:
        return ""
    if isinstance(default, Model):
        return "its own defaults"
    if default in (None, "", (), {}):
        return "none"
    if isinstance(default, tuple) and isinstance(default[0], Model):
        return "; ".join(f"{', '.join(f'{k} {v}' for k, v in one.model_dump().items())}" for one in default)
    if isinstance(default, tuple):
        return "`[" + ", ".join(_yaml(one) for one in default) + "]`"
    return f"`{_yaml(default)}`"


def _yaml(value: object) -> str:
    if isinstance(value, str):
        return value if re.fullmatch(r"[A-Za-z_][\w-]*", value) and value.lower() != "null" else f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _search_space() -> str:
    rows = [
        (estimator, f"`{name}`", f"{ranged.low:g}", f"{ranged.high:g}", ranged.scale)
        for estimator, ranges in DEFAULT_SEARCH_SPACE.items()
        for name, ranged in ranges.items()
    ]
    return "## The default search space\n\n" + table(("estimator", "hyperparameter", "low", "high", "scale"), rows)


def _reasons() -> str:
    found = [
        member
        for member in vars(constraints).values()
        if isinstance(member, type) and member.__module__ == constraints.__name__
    ]
    rows = [(f"`{_code(member)}`", (member.__doc__ or "").strip()) for member in found]
    rows.append(("`row:field_count`", "The number of fields fits the header (a malformed row has no other reason)."))
    rows.append(
        ("`message:malformed`", "A message of a topic can be read as a change (one that cannot has no other reason).")
    )
    return (
        "## Reason codes\n\nA quarantined row carries the code of every constraint that it breaks; a refused request "
        "names the same codes.\n\n" + table(("code", "what must hold"), rows)
    )


def _code(member: type) -> str:
    kind = vars(member)["kind"]
    return f"{kind}:<{'rule' if kind == 'cross_column' else 'column'}>"


def _names() -> str:
    rows: Mapping[str, str] = {
        "raw rows of the files": names.bronze_files("<source>"),
        "typed, valid rows, one a key": names.silver("<source>"),
        "broken rows with their reasons": names.quarantine("<source>"),
        "rows for training": names.gold("<problem>"),
        "serving table (Postgres, database and schema `warehouse`)": f"warehouse.{names.serving_table('<problem>')}",
        "fact table of a star schema": f"warehouse.{names.fact_table('<fact>')}",
        "dimension of a star schema": f"warehouse.{names.dimension_table('<dimension>')}",
        "what each row said of the dimensions": f"warehouse.{names.observed_table('<problem>')}",
        "what an extract landed, under the landing prefix": names.extracted_file("<problem>", 1),
        "DAG of a stage": names.dag_id("<problem>", "<stage>"),
        "tag of the gold that trained a model": names.training_tag("<run>"),
    }
    return "## Names that follow from the file\n\n" + table(
        ("what", "name"), [(what, f"`{name}`") for what, name in rows.items()]
    )


def _is_feature(model: type[Model]) -> bool:
    return model.__module__ == feature_nodes.__name__


def _kind(model: type[Model]) -> str:
    return str(model.model_fields["kind"].default)
