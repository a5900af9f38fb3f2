"""Backup and restore of the native stack: its databases at one moment, and the objects that they name."""
