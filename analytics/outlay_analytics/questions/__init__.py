"""One module per question about spend, quality, caches, cascades, calls and traces.

Enters: a scope of query.
Leaves: answers as the API gives them.
May import: query, statistics.
"""
