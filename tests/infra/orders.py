"""A problem of few columns whose table is followed, as text; its file is written while the stack is up."""

ORDERS = """\
problem: orders
title: Orders
owner: shop
sources:
  orders:
    primary_key: [number]
    event_timestamp: ordered_at
    changes: {}
    columns:
      number: {type: string}
      ordered_at: {type: timestamp}
      Amount: {type: number, min: 0}
      express: {type: boolean, nullable: true}
      kept: {type: integer, allowed: [0, 1], nullable: true}
label: {column: kept, positive: 1}
"""
