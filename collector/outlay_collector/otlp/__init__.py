"""What OTLP bodies hold: one schema, one rule of which spans are taken, and the repairs a body may need.

Enters: bodies in protobuf or JSON.
Leaves: checked bodies, keys of spans, what was rejected and why.
May import: spool.
"""
