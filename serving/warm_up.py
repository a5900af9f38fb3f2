"""The golden rows through the whole way once, before a package answers anybody: the first request must not be slow."""

import json

from pydantic_core import to_json

from millrace.contract.errors import MillraceError
from millrace.domain.package import GOLDEN
from serving.answers import Refused, predict_many, predict_one, refusal, told_alone, told_together
from serving.bodies import JSON, many_rows, one_row
from serving.champion import InForce
from serving.refusals import RefusedError


def warm_up(served: InForce) -> None:
    """Answer each golden row as a request of its own, and all of them as one; what is answered goes nowhere.

    That the answers are right was checked before. Here code, validators and the model's own buffers are touched.

    Raises:
        MillraceError: If the package's own contract refuses a golden row: then it would refuse its callers as well.
    """
    rows = [one["row"] for one in json.loads(served.package.files[GOLDEN])]
    try:
        for row in rows:
            to_json(told_alone(served, predict_one(served, one_row(to_json(row)), explain=True)))
        if rows:
            found = predict_many(served, many_rows(JSON, to_json({"rows": rows})), explain=True)
            to_json(told_together(served, found))
            for one in found:
                if isinstance(one, Refused):
                    raise refusal(served, one.faults)
    except RefusedError as error:
        raise MillraceError(
            "The model package refuses its own golden rows",
            place=GOLDEN,
            found=f"{error.body['title']}; {error.body['found']}",
            expected="golden rows that obey the contract in the package",
            fix="do not serve it; train again",
        ) from error
