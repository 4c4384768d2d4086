"""On disk from the 200 until it is loaded: segments, group fsync, quarantine.

Enters: records from receive.
Leaves: segments for load, in order.
May import: nothing.
"""
