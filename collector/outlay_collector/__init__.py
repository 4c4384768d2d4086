"""Outlay's collector: OTLP in, spool, load, settle, roll up; and the store they share."""
