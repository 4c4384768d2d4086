"""How it is told: messages in each receiver's form, sent without becoming a way into the network.

Enters: messages.
Leaves: requests to receivers; whether trying again may help.
May import: explain, query.
"""
