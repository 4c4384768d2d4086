"""What every question starts from: a window with filters, one source of spend, the calendar.

Enters: a window, filters, a time zone.
Leaves: SQL conditions, relations, series.
May import: nothing.
"""
