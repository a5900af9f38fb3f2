"""The assets through which stages tell each other that something is new."""

from airflow.sdk import Asset, AssetWatcher

from millrace.contract import names
from millrace.contract.problem import Problem
from millrace.orchestration.backlog_trigger import BacklogTrigger
from millrace.orchestration.landing_trigger import LandingTrigger


def landing(problem: Problem) -> Asset:
    """Files under the landing prefix; its watcher looks for new ones in the triggerer."""
    name = names.landing_asset(problem.source_name)
    watcher = AssetWatcher(name=f"{problem.source_name}_files", trigger=LandingTrigger(problem.problem))
    return Asset(name=name, uri=names.asset_uri(name), group=problem.problem, watchers=[watcher])


def changes(problem: Problem) -> Asset:
    """Changes in the topic of the source; its watcher compares the topic with bronze in the triggerer."""
    name = names.changes_asset(problem.source_name)
    watcher = AssetWatcher(name=f"{problem.source_name}_changes", trigger=BacklogTrigger(problem.problem))
    return Asset(name=name, uri=names.asset_uri(name), group=problem.problem, watchers=[watcher])


def bronze(problem: Problem) -> Asset:
    return _asset(names.bronze_asset(problem.source_name), problem)


def gold(problem: Problem) -> Asset:
    return _asset(names.gold_asset(problem.problem), problem)


def candidate(problem: Problem) -> Asset:
    return _asset(names.candidate_asset(problem.problem), problem)


def champion(problem: Problem) -> Asset:
    return _asset(names.champion_asset(problem.problem), problem)


def _asset(name: str, problem: Problem) -> Asset:
    return Asset(name=name, uri=names.asset_uri(name), group=problem.problem)
