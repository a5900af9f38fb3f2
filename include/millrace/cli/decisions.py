"""Commands that decide about batches which a check refused."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from millrace.cli.terminal import Actor, ProblemName, Reason, console, find_problem, find_source, who

Batch = Annotated[str, typer.Argument(help="The batch, as `millrace status` and the failed task name it.")]
NEXT = "Reconcile starts transform within two minutes; `millrace status` shows how far it is."


def batches(problem: ProblemName) -> None:
    """Batches that a check refused, and what was decided about each: by whom, and why.

    Outdated: nobody decided it in time; more files landed, or the contract changed, and a newer batch took its place.
    """
    from millrace.steps.decide_batch import in_turn
    from millrace.steps.refused_batches import refused_batches

    contract = find_problem(problem)
    found = refused_batches(contract)
    if not found:
        console.print(f"No batch of {problem} was ever refused.")
        return
    waiting = in_turn(contract)
    table = Table(*(Column(words, overflow="fold") for words in ("batch", "state", "when", "by", "why", "files")))
    for one in found:
        named = one.set_aside_by_rejection
        files = [file.path for file in named[:5]] + ([f"and {len(named) - 5} more"] if len(named) > 5 else [])
        why = one.why if one.state == "refused" else f"{one.why}\n{one.state}: {one.reason}"
        state = "outdated" if one.state == "refused" and one.batch not in waiting else one.state
        when = f"{one.at:%Y-%m-%d %H:%M}"
        table.add_row(f"{one.batch} ({one.stage})", state, when, one.actor, escape(why), escape("\n".join(files)))
    console.print(table)


def reject(
    problem: ProblemName,
    batch: Batch,
    reason: Reason,
    actor: Actor = "",
    every_file: Annotated[
        bool,
        typer.Option("--every-file", help="All its files, not only those that broke a limit of their own."),
    ] = False,
) -> None:
    """Set the bad files of a refused batch aside: they stay in bronze and never reach silver. The others go on."""
    from millrace.steps.decide_batch import decide

    contract = find_problem(problem)
    done = decide(contract, batch, "rejected", actor=who(actor), reason=reason, every_file=every_file)
    for file in done.files if every_file else done.set_aside_by_rejection:
        console.print(f"[yellow]rejected[/] {escape(file.path)}", highlight=False, soft_wrap=True)
    if contract.extract_table:
        console.print(
            f"The next extract begins after these rows: `millrace extract {problem} --full` brings the good ones again",
            highlight=False,
            soft_wrap=True,
        )
    console.print(NEXT, soft_wrap=True)


def replay(
    source: Annotated[str, typer.Argument(help="Name of a source, as a problem file declares it.")],
) -> None:
    """Judge the quarantined rows of a source once more: after an upgrade that reads rows better, some may be valid now.

    A row that was corrected or deleted since it came stays so.
    """
    import uuid

    from millrace.adapters import connect
    from millrace.steps.replay_quarantine import replay_quarantine

    contract = find_source(source)
    attempt = f"replay-{uuid.uuid4().hex}"
    with console.status(f"Judging the quarantine of {source}"), connect.session() as spark:
        done = replay_quarantine(spark, contract, attempt=attempt, run_id=attempt)
    console.print(f"{done['released']:,} of {done['judged']:,} rows are valid now and in silver.", highlight=False)
    if done["released"]:
        console.print(NEXT, soft_wrap=True)
    elif done["judged"]:
        console.print(f"`millrace quarantine {contract.problem}` says why the others are not.", soft_wrap=True)


def accept(problem: ProblemName, batch: Batch, reason: Reason, actor: Actor = "") -> None:
    """Let a refused batch through as it is: this one only, and only past the rules that it broke."""
    from millrace.steps.decide_batch import decide

    done = decide(find_problem(problem), batch, "accepted", actor=who(actor), reason=reason)
    console.print(f"[yellow]accepted[/] batch {batch}, though {escape(done.why)}", highlight=False, soft_wrap=True)
    console.print(NEXT, soft_wrap=True)
