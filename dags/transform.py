"""Airflow DAG of stage 3: bronze to silver to gold to the warehouse, each checked before a reader sees it."""

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException

from millrace.contract.problem import Problem
from millrace.orchestration import assets
from millrace.orchestration.attempts import this_attempt
from millrace.orchestration.defaults import dag_settings
from millrace.orchestration.problems import valid_problems
from millrace.orchestration.run_report import leave_report
from millrace.orchestration.tasks import check_connection, spark_step, step

Facts = dict[str, object]


def skip_without_rows(published: Facts) -> None:
    """All files so far were set aside or without a row."""
    if published["snapshot_id"] is None:
        raise AirflowSkipException("No row has reached gold yet: there is nothing to load")


def transform(problem: Problem) -> None:
    @dag(**dag_settings(problem, "transform"), schedule=[assets.bronze(problem)])
    def stage() -> None:
        @spark_step
        def transform_data(spark: object = None) -> Facts:
            from millrace.steps.transform_data import transform_data

            return transform_data(spark, problem, **this_attempt())

        @spark_step
        def quality_check_silver_data(transformed: Facts, spark: object = None) -> Facts:
            from millrace.steps.check_silver_data import check_silver_data

            return check_silver_data(spark, problem, transformed)

        @spark_step
        def build_gold_data(checked: Facts, spark: object = None) -> Facts:
            from millrace.steps.build_gold_data import build_gold_data

            return build_gold_data(spark, problem, checked, **this_attempt())

        @spark_step
        def quality_check_gold_data(built: Facts, checked: Facts, spark: object = None) -> Facts:
            from millrace.steps.check_gold_data import check_gold_data

            return check_gold_data(spark, problem, built, checked)

        @step(outlets=[assets.gold(problem)])
        def publish_gold_data(built: Facts, checked: Facts) -> Facts:
            from millrace.steps.publish_gold_data import publish_gold_data

            return publish_gold_data(problem, built, checked)

        @task
        def load_warehouse(published: Facts) -> Facts:
            from millrace.steps.load_warehouse import load_warehouse

            skip_without_rows(published)
            return load_warehouse(problem)

        @task
        def load_star_schema(published: Facts) -> Facts:
            from millrace.steps.load_star import load_star

            skip_without_rows(published)
            return load_star(problem)

        transformed = transform_data()
        check_connection("object_store", "lake", "warehouse") >> transformed
        checked = quality_check_silver_data(transformed)
        built = build_gold_data(checked)
        published = publish_gold_data(built, checked)
        quality_check_gold_data(built, checked) >> published
        load_warehouse(published)
        if problem.warehouse is not None:
            load_star_schema(published)
        leave_report(problem, "transform")

    stage()


for each in valid_problems():
    transform(each)
