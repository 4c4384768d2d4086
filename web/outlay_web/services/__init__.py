"""Answers that need more than one question: computed in the background, kept while they hold.

Enters: a scope.
Leaves: answers for API, pages and alerts.
May import: http.
"""
