"""The text of a problem file that says no more than it must; tests change a part of it."""

MINIMAL = """\
problem: churn
title: Churn
owner: crm
sources:
  customers:
    primary_key: [customer]
    assigned_time: file_modified
    columns:
      customer: {type: string}
      months: {type: integer, min: 0}
      plan: {type: string, allowed: [basic, pro], nullable: true}
      email: {type: string, sensitive: true}
      left: {type: boolean, nullable: true}
label: {column: left, positive: true}
"""
