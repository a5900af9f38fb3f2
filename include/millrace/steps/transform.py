"""The steps of stage transform, in their order. `load_warehouse` comes after them."""

from millrace.steps.build_gold_data import build_gold_data, check_gold_data, publish_gold_data
from millrace.steps.check_silver_data import check_silver_data
from millrace.steps.transform_data import transform_data

__all__ = ["build_gold_data", "check_gold_data", "check_silver_data", "publish_gold_data", "transform_data"]
