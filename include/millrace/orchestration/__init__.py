"""Airflow's side of the house: assets, defaults, triggers and operators. DAG files import from here."""
