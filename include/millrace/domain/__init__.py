"""Pure decisions: features, models, calibration, evaluation, promotion, the package. No I/O, no clock, no chance."""
