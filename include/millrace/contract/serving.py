"""How an answer is told to the caller."""

from typing import Self

from pydantic import Field, model_validator

from millrace.contract.model import Model


class RiskBand(Model):
    """A name for the probabilities below a bound."""

    name: str = Field(min_length=1, max_length=40)
    """What callers read as `risk`."""
    below: float = Field(gt=0, le=1)
    """Probabilities below this bound, and not below the one before, are of this band."""


class Serving(Model):
    """How a probability is told to the caller."""

    threshold: float = Field(default=0.5, gt=0, lt=1)
    """From this probability on, a prediction is told as positive."""
    risk_bands: tuple[RiskBand, ...] = (
        RiskBand(name="low", below=0.2),
        RiskBand(name="medium", below=0.5),
        RiskBand(name="high", below=1.0),
    )
    """Rising bounds; the last is 1.0."""
    factors: int = Field(default=3, ge=0, le=20)
    """How many of the input columns that moved the prediction most are told."""

    @model_validator(mode="after")
    def _bands_cover_everything(self) -> Self:
        bounds = [band.below for band in self.risk_bands]
        if not bounds or bounds != sorted(set(bounds)) or bounds[-1] != 1.0:
            raise ValueError(f"risk_bands must rise and end at 1.0, found {bounds}")
        return self
