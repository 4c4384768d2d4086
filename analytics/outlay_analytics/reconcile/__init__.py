"""Does the bill say what the calls cost: bills read, compared per day and model, the difference in reasons.

Enters: bills as files.
Leaves: rows of billed against computed, with reasons that add up.
May import: query.
"""
