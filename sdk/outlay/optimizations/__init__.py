"""What saves money, as code: caches, cascades, routing, experiments, evaluation, estimates.

Enters: the application's own functions, models and answers.
Leaves: answers; attempts, hits and assignments as attributes of spans.
May import: pricing, tracing.
"""
