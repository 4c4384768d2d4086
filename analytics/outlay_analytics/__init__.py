"""Outlay's answers: one module per question, each reading the store."""
