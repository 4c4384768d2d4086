"""OTLP comes in: HTTP and gRPC, bounded, authenticated, answered as the specification says.

Enters: compressed OTLP bodies.
Leaves: records in the spool; responses.
May import: otlp, spool.
"""
