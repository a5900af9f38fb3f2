"""Problem files made from a shipped one, under names of their own."""

from typing import Any

import yaml

from millrace.settings import ROOT

SHIPPED = ROOT / "include" / "problems"
MODEL = "diabetes"
"""The shipped problem that a drill's own problems are made like."""


def like(shipped: str, *, problem: str, title: str, source: str) -> dict[str, Any]:
    """The content of a shipped problem's file under other names, small enough for a drill or a test."""
    content: dict[str, Any] = yaml.safe_load((SHIPPED / f"{shipped}.yaml").read_text(encoding="utf-8"))
    return renamed(content, problem=problem, title=title, source=source)


def renamed(content: dict[str, Any], *, problem: str, title: str, source: str) -> dict[str, Any]:
    """The content of a problem file under other names, with a short search and a gate that few rows can pass."""
    ((_, its_source),) = content["sources"].items()
    its_source.pop("landing", None)
    # Whoever wants them says so: a connector, its slot and a topic would outlive the problem.
    its_source.pop("changes", None)
    its_source.pop("topic", None)
    its_source.pop("extract", None)
    return content | {
        "problem": problem,
        "title": title,
        "sources": {source: its_source},
        # Two problems may not make the same tables, and a star's are named in the file.
        "warehouse": None,
        "training": content.get("training", {}) | {"trials": 3},
        # Few simulated rows tell little about a model, and a slow machine about its latency.
        "gate": {"min_auc": 0.5, "suspicious_auc": 0.9999, "max_latency_ms": 1_000},
    }
