"""The API does what its OpenAPI document says, for requests that nobody thought of."""

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, CheckContext, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from serving.openapi import PREDICT
from tests.serving.a_key import BEARER
from tests.serving.world import World, package

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


def takes_what_is_valid(ctx: CheckContext, response: Response, case: Case) -> bool | None:
    """Like `positive_data_acceptance`; but to JSON Schema 7.0 is an integer, to every engine of ours it is not."""
    if response.status_code == 422:
        errors = response.json()["errors"]
        if errors and all(error["reason"].startswith("type:") and error["found"].endswith(".0") for error in errors):
            return None
    return positive_data_acceptance(ctx, response, case)


def _application() -> object:
    world = World()
    world.deploy("diabetes", package("diabetes"))
    watch = world.watch()
    watch.look()
    return world.app(watch)


schema = schemathesis.openapi.from_asgi("/openapi.json", _application())
EXACT = PREDICT.format(problem="diabetes")
bounded = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@schema.include(path=EXACT).parametrize()
@bounded
def test_an_exact_prediction_takes_what_it_says_and_nothing_else(case: Case) -> None:
    case.call_and_validate(headers=BEARER, checks=[*CHECKS, takes_what_is_valid, negative_data_rejection])


@schema.exclude(path=EXACT).parametrize()
@bounded
def test_every_other_route_answers_as_it_says(case: Case) -> None:
    case.call_and_validate(headers=BEARER, checks=CHECKS)
