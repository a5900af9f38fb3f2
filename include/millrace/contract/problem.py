"""A problem: everything that Millrace must know to turn its tables into served predictions."""

import hashlib
import json
from typing import Self

from pydantic import Field, model_validator

from millrace.contract.feature_nodes import FeatureNode, Missing, Numeric, OneHot, node_inputs, node_name
from millrace.contract.modelling import Gate, Training
from millrace.contract.source import Column, ColumnName, ColumnType, Identifier, Model, Scalar, Source
from millrace.contract.star import Star, check_star


class Label(Model):
    """What is to be predicted: a column, and its value that means "yes"."""

    column: ColumnName
    """The column; gold calls it `label`, 1 for the positive value, 0 for any other, null while it is unknown."""
    positive: Scalar = 1
    """The value that means "yes", of the column's type."""


class Override(Model):
    """A condition that decides before the model: matching rows get the fixed probability and are not trained on."""

    name: Identifier
    """Told as `decided_by` with each prediction that the override decides."""
    column: ColumnName
    """The column it looks at; it is then no input of the model."""
    equals: Scalar
    """The value at which it decides."""
    probability: float = Field(ge=0, le=1)
    """The probability that such rows get."""
    reason: str = Field(min_length=10)
    """Why this is a rule and not something to learn; shown with each prediction it decides."""


class RiskBand(Model):
    """A name for the probabilities below a bound."""

    name: str = Field(min_length=1, max_length=40)
    """What callers read as `risk`."""
    below: float = Field(gt=0, le=1)
    """Probabilities below this bound, and not below the one before, are of this band."""


class Serving(Model):
    """How a probability is told to the caller."""

    threshold: float = Field(default=0.5, gt=0, lt=1)
    """From this probability on, a prediction is told as positive."""
    risk_bands: tuple[RiskBand, ...] = (
        RiskBand(name="low", below=0.2),
        RiskBand(name="medium", below=0.5),
        RiskBand(name="high", below=1.0),
    )
    """Rising bounds; the last is 1.0."""
    factors: int = Field(default=3, ge=0, le=20)
    """How many of the input columns that moved the prediction most are told."""

    @model_validator(mode="after")
    def _bands_cover_everything(self) -> Self:
        bounds = [band.below for band in self.risk_bands]
        if not bounds or bounds != sorted(set(bounds)) or bounds[-1] != 1.0:
            raise ValueError(f"risk_bands must rise and end at 1.0, found {bounds}")
        return self


class Schedules(Model):
    """When work starts by itself, besides data arriving."""

    train: str | None = Field(default=None, pattern=r"^(@(hourly|daily|weekly|monthly)|(\S+ ){4}\S+)$")
    """A cron expression for training, besides the first one and those that new rows bring."""
    retrain_after_new_rows: int | None = Field(default=None, ge=1)
    """Train again when this many labelled rows are new since the last training."""


class Problem(Model):
    """One prediction problem. The YAML file of the same name is this model, key by key."""

    problem: Identifier
    """The name: of the file, the DAGs, the gold table, the registered model and the API path."""
    title: str = Field(min_length=1, max_length=60)
    """The name for people, in Airflow and in the API."""
    owner: str = Field(min_length=1, max_length=60)
    """Who answers for it: the owner of its DAGs."""
    description: str = ""
    """One or two sentences, shown in Airflow, the model card and the API."""
    sources: dict[Identifier, Source] = Field(min_length=1, max_length=1)
    """One source a problem for now; the map leaves room for more."""
    entities: tuple[ColumnName, ...] = ()
    """Reserved: join keys of online features; default: the primary key."""
    label: Label
    """What is to be predicted."""
    overrides: tuple[Override, ...] = ()
    """Rules that decide before the model."""
    exclude: tuple[ColumnName, ...] = ()
    """Columns that go to gold but are no input of the model: groups to watch, facts known too late."""
    features: tuple[FeatureNode, ...] = ()
    """Row-level features; default: one for each input column, by its type, and a missing flag where it is nullable."""
    aggregations: tuple[()] = ()
    """Reserved: features across rows."""
    training: Training = Training()
    """How models are searched and fitted."""
    gate: Gate = Gate()
    """What a candidate must show before it may serve."""
    serving: Serving = Serving()
    """How a probability is told to the caller."""
    schedules: Schedules = Schedules()
    """When work starts by itself, besides data arriving."""
    # No part of a dump, which goes into packages: what the warehouse makes of the rows changes no model.
    warehouse: Star | None = Field(default=None, exclude=True)
    """A star schema of the source's rows, besides the serving table."""

    @model_validator(mode="after")
    def _star_fits_the_source(self) -> Self:
        if self.warehouse is not None:
            check_star(self.warehouse, self.source)
        return self

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        columns, inputs = self.columns(), self.input_columns()
        label = self.label.column
        wanted = {"label.column": [label], "exclude": list(self.exclude), "entities": list(self.entities)}
        wanted["overrides"] = [o.column for o in self.overrides]
        wanted["gate.groups"] = [g.column for g in self.gate.groups]
        wanted["training.split.group"] = [self.training.split.group] if self.training.split.group else []
        for place, names in wanted.items():
            for name in names:
                if name not in columns:
                    raise ValueError(f"{place} names {name}, which is not a column of the source")
                if columns[name].sensitive and place != "entities":
                    raise ValueError(f"{place} names {name}, which is sensitive and so never reaches gold or a model")
        if columns[label].type not in ("integer", "boolean", "string"):
            raise ValueError(f"label.column {label} must be integer, boolean or string, not {columns[label].type}")
        label_type: type[Scalar] = {"integer": int, "boolean": bool, "string": str}[columns[label].type]
        if type(self.label.positive) is not label_type:
            raise ValueError(f"label.positive {self.label.positive!r} is not a {columns[label].type}")
        if taken := [n for n in columns if n.lower() == "label" and n != label]:
            raise ValueError(
                f"the column name {taken[0]} is that of gold's label; choose another, and say `header: {taken[0]}`"
            )
        if not inputs:
            raise ValueError("no column is left as input of the model")
        for position, override in enumerate(self.overrides):
            self._check_override(f"overrides.{position}", override)
        self._check_groups()
        self._check_features(set(inputs))
        return self

    def _check_override(self, place: str, override: Override) -> None:
        if override.column not in self.request_columns():
            raise ValueError(f"{place} needs {override.column} in the request")
        column = self.columns()[override.column]
        kinds: dict[ColumnType, tuple[type[Scalar], ...]] = {
            "integer": (int,),
            "number": (int, float),
            "boolean": (bool,),
            "string": (str,),
        }
        # A condition of another type holds for no row, and the rule would silently never decide.
        if type(override.equals) not in kinds.get(column.type, ()):
            raise ValueError(
                f"{place}.equals {override.equals!r} can never equal {override.column}, which is a {column.type}"
                " (quote words like Yes and No; a timestamp decides nothing)"
            )
        if column.allowed is not None and override.equals not in column.allowed:
            raise ValueError(f"{place}.equals {override.equals!r} is not among the allowed values of {override.column}")

    def _check_groups(self) -> None:
        told = self.gold_columns()
        wanted = {f"gate.groups.{n}.column": group.column for n, group in enumerate(self.gate.groups)}
        if self.training.split.group is not None:
            wanted["training.split.group"] = self.training.split.group
        for place, name in wanted.items():
            if name not in told:
                raise ValueError(
                    f"{place} names {name}, but gold has no such column: key, event time and label are no groups"
                )

    def _check_features(self, known: set[str]) -> None:
        taken: set[str] = set()
        for position, node in enumerate(self.features):
            for name in node_inputs(node):
                if name not in known | taken and name in self.columns() and self.columns()[name].type == "timestamp":
                    raise ValueError(
                        f"features.{position} reads {name}: a timestamp is no input; bring what matters of it, such as"
                        " an age in days, as a number"
                    )
                if name not in known | taken:
                    raise ValueError(
                        f"features.{position} reads {name}, which is neither an input column nor an earlier feature"
                    )
            if isinstance(node, OneHot | Missing) and node.input not in known:
                raise ValueError(f"features.{position} ({node.kind}) must read a column, not the feature {node.input}")
            if node_name(node) in taken:
                raise ValueError(f"features.{position}: the name {node_name(node)} is taken")
            if isinstance(node, Numeric | OneHot) and node.input in known:
                kind = self.columns()[node.input].type
                if isinstance(node, Numeric) and kind == "string":
                    raise ValueError(f"features.{position}: {node.input} is a string; use one_hot")
            taken.add(node_name(node))

    @property
    def source_name(self) -> str:
        return next(iter(self.sources))

    @property
    def source(self) -> Source:
        return self.sources[self.source_name]

    @property
    def landing_prefix(self) -> str:
        """The prefix of the landing bucket under which files of the source appear, ending in "/"."""
        return self.source.landing or f"{self.source_name}/"

    def columns(self) -> dict[str, Column]:
        """Every column of the source."""
        return dict(self.source.columns)

    def gold_columns(self) -> dict[str, Column]:
        """What gold carries besides key, time and label: every column that is not sensitive."""
        source = self.source
        reserved = {*source.primary_key, source.event_timestamp, self.label.column}
        return {n: c for n, c in source.columns.items() if n not in reserved and not c.sensitive}

    def request_columns(self) -> dict[str, Column]:
        """What a caller sends: the inputs of model and overrides, and times where a rule compares them."""
        overriding = {o.column for o in self.overrides}
        sendable = {n: c for n, c in self.gold_columns().items() if n not in self.exclude or n in overriding}
        rules = [(rule.left, rule.right) for rule in self.source.rules]
        compared = {name for sides in rules if sendable.keys() >= {*sides} for name in sides}
        return {n: c for n, c in sendable.items() if c.type != "timestamp" or n in compared}

    def input_columns(self) -> dict[str, Column]:
        """What the model may learn from: the request without the columns that only an override reads."""
        overriding = {o.column for o in self.overrides}
        usable = {n: c for n, c in self.request_columns().items() if c.type != "timestamp"}
        return {n: c for n, c in usable.items() if n not in overriding}

    def feature_nodes(self) -> tuple[FeatureNode, ...]:
        """The declared features, or the default ones by type."""
        if self.features:
            return self.features
        nodes: list[FeatureNode] = []
        for name, column in self.input_columns().items():
            if column.type == "string":
                nodes.append(OneHot(input=name))
                continue
            nodes.append(Numeric(input=name))
            if column.nullable:
                nodes.append(Missing(input=name))
        return tuple(nodes)

    def contract_hash(self) -> str:
        """SHA-256 (16 hex digits) of what decides which rows silver and gold hold, and what stands in them."""
        told = {
            "sources": {name: _deciding(source) for name, source in self.sources.items()},
            "label": self.label.model_dump(mode="json"),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _deciding(source: Source) -> dict[str, object]:
    # Words for people, and where files land, change no row.
    told = source.model_dump(mode="json", exclude={"landing", "quality", "encoding"})
    for later in ("trim", "decimal"):
        # Keys that came later: the hash of a source that does not use them is what it was.
        if told[later] == Source.model_fields[later].default:
            del told[later]
    told["columns"] = {name: _deciding_column(column) for name, column in source.columns.items()}
    return told


def _deciding_column(column: Column) -> dict[str, object]:
    told = column.model_dump(mode="json", exclude={"description", "unit", "available", "header", "optional"})
    # Rows of bronze are looked up under the header, too; a key that came later and is not used changes no hash.
    return told if column.header is None else {**told, "header": column.header}
