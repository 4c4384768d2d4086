"""What somebody should be told: budgets, rules, the life of an alert, what goes out.

Enters: budgets, projections, incidents.
Leaves: alerts with a reason; messages in the outbox.
May import: anomalies, explain, forecast, incidents, notify, query, questions.
"""
