"""`outlay demo`: a month of a small company's model calls, with a bill that is known beforehand.

`company` invents the traffic, `bill` prices it on its own, `send` puts it through the real SDK and OTLP, `run` starts a
server and shows the result.

Enters: nothing.
Leaves: a month of OTLP, a fake provider.
May import: nothing.
"""
