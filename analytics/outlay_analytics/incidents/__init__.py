"""Incidents from detector to pager: one object with one id and one set of figures, and what people do about it.

Enters: what the detector finds, markers, notes.
Leaves: incidents with their history; markers.
May import: explain, query.
"""
