"""Numbers and texts of a file as people and YAML read them."""

import yaml

from millrace.contract.source import Scalar

LONGEST = 40


def many(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def number(value: float) -> str:
    """A number as short as it is exact enough for people: 0.25, 1200, 1.5e-07."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def share(part: int, whole: int) -> str:
    """A share in per cent; never 0 % for some, never 100 % for not all."""
    percent = 100 * part / whole if whole else 0.0
    if part and percent < 0.1:
        return "< 0.1 %"
    if part < whole and percent > 99.9:
        return "> 99.9 %"
    return f"{percent:.1f} %".replace(".0 %", " %")


def plain(value: Scalar) -> str:
    """A value of the file in one short line of printable characters."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def quoted(value: str) -> str:
    return f'"{plain(value)}"'


def scalar(value: Scalar) -> str:
    """A value in YAML, in one line, quoted where it could be read otherwise."""
    if isinstance(value, str) and not _is_safe(value):
        return str(yaml.safe_dump(value, default_style='"', allow_unicode=True, width=1 << 30)).strip()
    return str(yaml.safe_dump(value, allow_unicode=True, width=1 << 30)).removesuffix("...\n").strip()


def bound(value: float) -> str:
    """A limit of a range in YAML."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else scalar(value)


def _is_safe(text: str) -> bool:
    # Within [a, b] and {a: b} more characters mean something than elsewhere.
    return text.isascii() and text.replace(" ", "").replace("_", "").replace("-", "").isalnum() and text == text.strip()
