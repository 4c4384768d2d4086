"""Starts and stops everything: the one place that builds the application, its workers and its lock.

Enters: settings.
Leaves: a running server.
May import: api, http, pages, services.
"""
