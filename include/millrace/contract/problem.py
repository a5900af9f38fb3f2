"""A problem: everything that Millrace must know to turn its tables into served predictions."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from millrace.contract.aggregations import (
    Aggregation,
    EventLabel,
    Where,
    check_aggregations,
    check_event_label,
    check_where,
)
from millrace.contract.feature_checks import check_features
from millrace.contract.feature_nodes import FeatureNode, Missing, Numeric, OneHot, TimePart
from millrace.contract.hashing import deciding, digest
from millrace.contract.intake import Intake
from millrace.contract.label import AnyLabel, Label
from millrace.contract.model import Model
from millrace.contract.modelling import Gate, Training
from millrace.contract.names import STAGES, WAREHOUSE, change_topic
from millrace.contract.override import Override, check_override
from millrace.contract.retention import Retention
from millrace.contract.schedules import Schedules
from millrace.contract.serving import Serving
from millrace.contract.source import Column, ColumnName, Identifier, Scalar, Source
from millrace.contract.star import Star, check_star
from millrace.contract.topic import RowFormat


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
    rows: Where | None = None
    """Which rows of the source are predicted for; the others tell aggregations and an event label. Default: all."""
    label: AnyLabel
    """What is to be predicted: what a column says, or whether a later [event](#eventlabel) comes."""
    overrides: tuple[Override, ...] = ()
    """Rules that decide before the model."""
    exclude: tuple[ColumnName, ...] = ()
    """Columns that go to gold but are no input of the model: groups to watch, facts known too late."""
    features: tuple[FeatureNode, ...] = ()
    """Row-level features; default: one for each input column, by its type, and a missing flag where it is nullable."""
    aggregations: tuple[Aggregation, ...] = ()
    """Columns of gold that earlier rows tell; they are inputs like any other."""
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
    retention: Retention = Field(default=Retention(), exclude=True)
    """How long what is no longer in force is kept."""

    @field_validator("problem")
    @classmethod
    def _not_named_as_the_warehouse(cls, name: str) -> str:
        if name == WAREHOUSE:
            raise ValueError(f"another name: {WAREHOUSE} is that of the connector that publishes gold rows")
        return name

    @model_validator(mode="after")
    def _star_fits_the_source(self) -> Self:
        if self.warehouse is not None:
            check_star(self.warehouse, self.source)
        return self

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        self._check_topic()
        self._check_events()
        columns, inputs = {**self.columns(), **self.gold_columns()}, self.input_columns()
        label = self.label_column
        wanted = {"label.column": [label] if label else [], "exclude": list(self.exclude)}
        wanted["entities"] = list(self.entities)
        wanted["overrides"] = [o.column for o in self.overrides]
        wanted["gate.groups"] = [g.column for g in self.gate.groups]
        wanted["training.split.group"] = [self.training.split.group] if self.training.split.group else []
        for place, names in wanted.items():
            for name in names:
                if name not in columns:
                    raise ValueError(f"{place} names {name}, which is not a column of the source")
                if columns[name].sensitive and place != "entities":
                    raise ValueError(f"{place} names {name}, which is sensitive and so never reaches gold or a model")
        self._check_label()
        if taken := [n for n in columns if n.lower() == "label" and n != label]:
            raise ValueError(
                f"the column name {taken[0]} is that of gold's label; choose another, and say `header: {taken[0]}`"
            )
        if not inputs:
            raise ValueError("no column is left as input of the model")
        for position, override in enumerate(self.overrides):
            check_override(f"overrides.{position}", override, self.request_columns(), self.gold_columns())
        self._check_groups()
        check_features(self.features, inputs, self.columns(), self._times())
        return self

    def _check_topic(self) -> None:
        topic = self.source.topic
        if topic is not None and topic.name.startswith(f"{self.problem}."):
            raise ValueError(
                f"sources.{self.source_name}.topic.name {topic.name} begins with {self.problem}. as the topics of the"
                " problem's own connector do; choose another"
            )

    def _check_events(self) -> None:
        if self.rows is not None:
            check_where("rows", self.rows, self.source)
        check_aggregations(self.aggregations, self.source)
        if isinstance(self.label, EventLabel):
            check_event_label(self.label, self.source)
        if self.training.split.by == "key" and (self.aggregations or isinstance(self.label, EventLabel)):
            raise ValueError(
                "training.split: by key would part the rows of one user or session, which tell of the same events, and"
                " the model would be judged on what it has seen; say by: group with the column they share, or by: time"
            )

    def _check_label(self) -> None:
        if isinstance(self.label, EventLabel):
            return
        name, kind = self.label.column, self.columns()[self.label.column].type
        if kind not in ("integer", "boolean", "string"):
            raise ValueError(f"label.column {name} must be integer, boolean or string, not {kind}")
        label_type: type[Scalar] = {"integer": int, "boolean": bool, "string": str}[kind]
        if type(self.label.positive) is not label_type:
            raise ValueError(f"label.positive {self.label.positive!r} is not a {kind}")

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

    @property
    def change_table(self) -> str | None:
        """The table of the source database that is followed, as schema.table; None without a section `changes`."""
        changes = self.source.changes
        return None if changes is None else changes.table or f"public.{self.source_name}"

    @property
    def change_topic(self) -> str | None:
        """The Kafka topic of its changes."""
        return None if self.change_table is None else change_topic(self.problem, self.change_table)

    @property
    def topics(self) -> dict[str, Intake]:
        """Every Kafka topic that is taken in, and when: that of its table's changes, and the producers' own."""
        found: dict[str, Intake] = {}
        if self.change_topic is not None and self.source.changes is not None:
            found[self.change_topic] = self.source.changes
        if self.source.topic is not None:
            found[self.source.topic.name] = self.source.topic
        return found

    def format_of(self, topic: str) -> RowFormat | None:
        """What a row of a topic is; None: a change, in Debezium's envelope."""
        told = self.source.topic
        return None if told is None or told.name != topic or told.format == "debezium" else told.format

    def is_of_others(self, topic: str) -> bool:
        """Whether somebody else sends to a topic, so that no table of ours could be read once more for it."""
        return self.source.topic is not None and self.source.topic.name == topic

    @property
    def extract_table(self) -> str | None:
        """The table of the source database that is read now and then; None without a section `extract`."""
        extract = self.source.extract
        return None if extract is None else extract.table or f"public.{self.source_name}"

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that it has a DAG for: without `changes`, `topic` and `extract` it takes in files alone."""
        absent = set() if self.topics else {"ingest_changes"}
        absent |= {"extract"} if self.source.extract is None else set()
        return tuple(stage for stage in STAGES if stage not in absent)

    @property
    def label_column(self) -> str | None:
        """The column that tells the label; None where a later event does."""
        return self.label.column if isinstance(self.label, Label) else None

    def columns(self) -> dict[str, Column]:
        """Every column of the source."""
        return dict(self.source.columns)

    def gold_columns(self) -> dict[str, Column]:
        """What gold carries besides key, time and label: every column that is not sensitive, and the aggregations."""
        source = self.source
        reserved = {*source.primary_key, source.event_timestamp, self.label_column}
        told = {n: c for n, c in source.columns.items() if n not in reserved and not c.sensitive}
        if self.rows is not None and self.rows.column in told and told[self.rows.column].type != "boolean":
            # Of the values that the source may have, gold and requests have those that are predicted for.
            column = told[self.rows.column]
            told[self.rows.column] = column.model_copy(update={"allowed": self.rows.any_of, "nullable": False})
        return told | {one.name: one.as_column(source) for one in self.aggregations}

    def request_columns(self) -> dict[str, Column]:
        """What a caller sends: the inputs of model and overrides, and times that a feature reads or a rule compares."""
        overriding = {o.column for o in self.overrides}
        read = {node.input for node in self.features if isinstance(node, TimePart)}
        times = {n: c for n, c in self._times().items() if n in read}
        sendable = {n: c for n, c in self.gold_columns().items() if n not in self.exclude or n in overriding} | times
        rules = [(rule.left, rule.right) for rule in self.source.rules]
        compared = {name for sides in rules if sendable.keys() >= {*sides} for name in sides}
        return {n: c for n, c in sendable.items() if c.type != "timestamp" or n in compared | read}

    def _times(self) -> dict[str, Column]:
        """The times that a feature may read: the event time, and those of gold."""
        told = self.event_time() | self.gold_columns()
        return {n: c for n, c in told.items() if c.type == "timestamp" and n not in self.exclude}

    def event_time(self) -> dict[str, Column]:
        """The column of the event time, if files bring it; gold calls it `event_timestamp`."""
        name = self.source.event_timestamp
        return {} if name is None else {name: self.source.columns[name]}

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

    def looks_across(self) -> bool:
        """Whether a row of gold tells of other rows than its own."""
        return bool(self.aggregations) or self.rows is not None or isinstance(self.label, EventLabel)

    def contract_hash(self) -> str:
        """SHA-256 (16 hex digits) of what decides which rows silver holds, and what stands in them.

        It decides gold, too, of a problem that looks at one row at a time.
        """
        told: dict[str, object] = {"sources": {name: deciding(source) for name, source in self.sources.items()}}
        if isinstance(self.label, Label):
            told["label"] = self.label.model_dump(mode="json")
        return digest(told)

    def gold_hash(self) -> str:
        """SHA-256 (16 hex digits) of what decides gold: the contract hash, and what looks across rows of silver."""
        across: dict[str, object] = {}
        if self.rows is not None:
            across["rows"] = self.rows.model_dump(mode="json")
        if self.aggregations:
            across["aggregations"] = [one.model_dump(mode="json") for one in self.aggregations]
        if isinstance(self.label, EventLabel):
            across["label"] = self.label.model_dump(mode="json")
        return digest({"silver": self.contract_hash(), **across}) if across else self.contract_hash()
