"""Millrace: tables that keep changing, turned into predictions that stay right."""
