"""Figures for other programs: charges as FOCUS, calls, prices; row after row, however many there are.

Enters: a window with filters.
Leaves: columns with their kinds, and an iterator of rows.
May import: query, questions.
"""
