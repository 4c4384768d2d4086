"""From decorator to span: what the work is for, and the spans that say so.

Enters: functions and blocks of the application, tags, usage that somebody records.
Leaves: spans with Outlay's attributes, for export.
May import: export, parsing.
"""
