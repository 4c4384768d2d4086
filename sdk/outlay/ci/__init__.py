"""`outlay ci`: what a change does to tokens and money, measured by running one command at two revisions.

Enters: a revision to compare with, a command (tests, an evaluation).
Leaves: a table for a pull request, JSON, an exit code.
May import: export, optimizations, zero_code.
"""
