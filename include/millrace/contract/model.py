"""The base of every part of the contract."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Base of every part of the contract: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
