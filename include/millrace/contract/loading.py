"""Reading problem files: YAML to `Problem`, or an error that names file, line, key, what was found, what is valid."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from millrace.contract.errors import MillraceError, did_you_mean
from millrace.contract.problem import Problem
from millrace.contract.star import star_tables

HOW_TO_FIX = "edit the file, then run `make lint`; docs/reference/problem.md explains every key"

PROBLEM_FILES = "*.y*ml"
"""`.yaml` and `.yml`, for the DAGs and for who asks for one problem by name alike."""


class InvalidProblemError(MillraceError):
    """A problem file that cannot be used. `problem_name` is the stem of the file."""


def load_problem(path: Path) -> Problem:
    """Read one problem file.

    Raises:
        InvalidProblemError: With one block for each mistake, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid("The file cannot be read", str(path), str(error), "a UTF-8 YAML file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise _invalid("The file is not YAML", place, getattr(error, "problem", str(error)), "valid YAML") from error
    if tree is None or not isinstance(content, dict):
        raise _invalid(
            "The file holds no problem", str(path), type(content).__name__, "a mapping with the key `problem`"
        )
    _refuse_repeated_keys(tree, path)
    try:
        problem = Problem.model_validate(content)
    except ValidationError as error:
        raise _from_validation(error, path, tree) from error
    if problem.problem != path.stem:
        place = f"{path}:{_line_of(tree, ('problem',))}"
        raise _invalid("The name of the file and of the problem differ", place, problem.problem, path.stem)
    return problem


def load_problems(folder: Path) -> tuple[dict[str, Problem], list[InvalidProblemError]]:
    """Every problem of a folder by name, in order of name, and the errors of those that cannot be used."""
    problems: dict[str, Problem] = {}
    errors: list[InvalidProblemError] = []
    owner_of_source: dict[str, str] = {}
    owner_of_prefix: dict[str, str] = {}
    owner_of_table: dict[str, str] = {}
    owner_of_changes: dict[str, str] = {}
    owner_of_topic: dict[str, str] = {}
    for path in sorted(folder.glob(PROBLEM_FILES)):
        try:
            problem = load_problem(path)
            for source in problem.sources:
                if source in owner_of_source:
                    taken = f"source {source} is already declared by problem {owner_of_source[source]}"
                    raise _invalid("Two problems declare one source", str(path), taken, "a name used once")
            _refuse_nested(problem.landing_prefix, owner_of_prefix, path)
            followed = {problem.change_table} - {None}
            for table in followed & owner_of_changes.keys():
                taken = f"table {table} is already followed by problem {owner_of_changes[str(table)]}"
                raise _invalid("Two problems follow one table", str(path), taken, "a table used once")
            for topic in problem.topics.keys() & owner_of_topic.keys():
                taken = f"topic {topic} is already taken in by problem {owner_of_topic[topic]}"
                raise _invalid("Two problems take in one topic", str(path), taken, "a topic used once")
            tables = star_tables(problem.warehouse) if problem.warehouse else ()
            for table in tables:
                if table in owner_of_table:
                    taken = f"warehouse.{table} is already declared by problem {owner_of_table[table]}"
                    raise _invalid("Two problems make one warehouse table", str(path), taken, "a name used once")
        except InvalidProblemError as error:
            errors.append(error)
            continue
        owner_of_source |= dict.fromkeys(problem.sources, problem.problem)
        owner_of_prefix[problem.landing_prefix] = problem.problem
        owner_of_changes |= {str(table): problem.problem for table in followed}
        owner_of_topic |= dict.fromkeys(problem.topics, problem.problem)
        owner_of_table |= dict.fromkeys(tables, problem.problem)
        problems[problem.problem] = problem
    return problems, errors


def _refuse_nested(prefix: str, taken: dict[str, str], path: Path) -> None:
    # One prefix may feed two problems; files of a folder within it, of another shape, the outer would set aside.
    for other, owner in taken.items():
        if prefix != other and (prefix.startswith(other) or other.startswith(prefix)):
            found = f"files land under {prefix}, those of problem {owner} under {other}"
            raise _invalid("One landing prefix lies within another", str(path), found, "a `landing` beside the other")


def get_problem(name: str, folder: Path) -> Problem:
    """The problem of this name.

    Raises:
        InvalidProblemError: If there is no such file, with the closest name, or if it cannot be used.
    """
    files = {path.stem: path for path in sorted(folder.glob(PROBLEM_FILES), reverse=True)}
    if name not in files:
        raise InvalidProblemError(
            f"There is no problem {name!r}",
            place=str(folder),
            found=f"no file {name}.yaml",
            expected=did_you_mean(name, list(files)),
            fix="`millrace status` lists the problems; docs/how-to/add-a-problem.md tells how to add one",
        )
    return load_problem(files[name])


def _invalid(problem: str, place: str, found: str, expected: str) -> InvalidProblemError:
    return InvalidProblemError(problem, place=place, found=found, expected=expected, fix=HOW_TO_FIX)


def _from_validation(error: ValidationError, path: Path, tree: yaml.Node) -> InvalidProblemError:
    # A mistyped key also shows as a missing one: the typo first, it explains the other.
    details = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    blocks = [_describe(dict(detail), path, tree) for detail in details]
    first = blocks[0]
    more = "".join(
        f"\n  also:     {place}: {problem}; found {found}; expected {expected}"
        for problem, place, found, expected in blocks[1:]
    )
    return _invalid(first[0], first[1], first[2], first[3] + more)


def _describe(detail: dict[str, Any], path: Path, tree: yaml.Node) -> tuple[str, str, str, str]:
    location = tuple(part for part in detail["loc"] if _exists(tree, part, detail["loc"]))
    message = str(detail["msg"]).removeprefix("Value error, ")
    location = _named_by(message, location, tree)
    key = ".".join(str(part) for part in location) or "(top level)"
    place = f"{path}:{_line_of(tree, location)}, key {key}"
    found = repr(detail.get("input"))
    found = found if len(found) <= 80 else found[:77] + "..."
    if detail["type"] == "extra_forbidden":
        word = str(location[-1])
        return f"Unknown key {word!r}", place, word, did_you_mean(word, sorted(_known_keys(location[:-1])))
    if "[key]" in detail["loc"]:
        word = str(detail["input"])
        told = f'a name of ASCII letters, digits and _; a column says `header: "{word}"` if files call it so'
        return f"Invalid name {word!r}", place, word, told
    if detail["type"] == "missing":
        return f"Missing key {detail['loc'][-1]!r}", place, "nothing", f"a value for {detail['loc'][-1]}"
    return f"Invalid value of {key}", place, found, _in_words(detail, message)


PLAIN_WORDS = {
    "tuple_type": "a list, such as [one, another]",
    "list_type": "a list, such as [one, another]",
    "model_type": "keys and values, such as {key: value}",
    "dict_type": "keys and values, such as {key: value}",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text (put it in quotes)",
}
"""What would be valid, for those kinds of mistakes that Pydantic tells in the words of Python."""


def _in_words(detail: dict[str, Any], message: str) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in PLAIN_WORDS:
        return PLAIN_WORDS[kind]
    if kind == "string_too_long" and context.get("max_length") == 1:
        return "exactly one character, in quotes"
    valid = str(context.get("expected", ""))
    if kind == "literal_error" and isinstance(detail.get("input"), str):
        hint = did_you_mean(detail["input"], valid.replace(" or ", ", ").replace("'", "").split(", "))
        return valid if hint.startswith("known") else f"{hint} Valid: {valid}"
    return message.removeprefix("Input should be ")


def _exists(tree: yaml.Node, part: object, location: tuple[object, ...]) -> bool:
    # Pydantic adds parts that are in no file, such as the tag of a union; a missing key is not there either.
    node: yaml.Node | None = tree
    for step in location:
        following = _child(node, step)
        if step is part:
            return following is not None
        node = following if following is not None else node
    return False


def _named_by(message: str, location: tuple[object, ...], tree: yaml.Node) -> tuple[object, ...]:
    # A check across keys is raised by the model around them; its message begins with the key it is about.
    named = message.split(" ", 1)[0].rstrip(":").split(".")
    exact = (*location, *(int(part) if part.isdigit() else part for part in named))
    node: yaml.Node | None = tree
    for step in exact:
        node = _child(node, step)
    return location if node is None else exact


def _child(node: yaml.Node | None, step: object) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]  # type: ignore[no-any-return]
    return None


def _line_of(tree: yaml.Node, location: tuple[object, ...]) -> int:
    node, line = tree, tree.start_mark.line + 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    node, line = value, key.start_mark.line + 1
                    break
        elif (following := _child(node, step)) is not None:
            node, line = following, following.start_mark.line + 1
    return line


def _refuse_repeated_keys(tree: yaml.Node, path: Path) -> None:
    # YAML itself keeps the last of two equal keys, silently.
    if isinstance(tree, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in tree.value:
            if key.value in seen:
                place = f"{path}:{key.start_mark.line + 1}"
                raise _invalid(f"The key {key.value!r} stands twice", place, key.value, "each key once")
            seen.add(key.value)
            _refuse_repeated_keys(value, path)
    elif isinstance(tree, yaml.SequenceNode):
        for value in tree.value:
            _refuse_repeated_keys(value, path)


def _known_keys(location: Iterable[object]) -> set[str]:
    """The keys that the contract knows at a place, found by walking the model's JSON schema."""
    schema = Problem.model_json_schema()
    nodes = [schema]
    for step in location:
        nodes = [child for node in nodes for child in _schema_children(_resolved(node, schema), step)]
    return {key for node in nodes for option in _resolved(node, schema) for key in option.get("properties", {})}


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _resolved(schema["$defs"][node["$ref"].rsplit("/", 1)[1]], schema)
    options = node.get("anyOf", []) + node.get("oneOf", [])
    return [one for option in options for one in _resolved(option, schema)] if options else [node]


def _schema_children(options: list[dict[str, Any]], step: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for option in options:
        if step in option.get("properties", {}):
            found.append(option["properties"][step])
        elif isinstance(step, int) and isinstance(option.get("items"), dict):
            found.append(option["items"])
        else:
            found += list(option.get("patternProperties", {}).values())
            if isinstance(option.get("additionalProperties"), dict):
                found.append(option["additionalProperties"])
    return found


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a problem file, for editors."""
    schema: type[BaseModel] = Problem
    return schema.model_json_schema()
