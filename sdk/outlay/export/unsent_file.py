"""`spool_file`: the spool as one file that the user names, of what could not be sent, for `outlay ingest`."""

from __future__ import annotations

import os

from outlay import _safely
from outlay.settings import Settings


def appended(settings: Settings, body: bytes) -> bool:
    """Append a request to the file, if it still fits. Protobuf requests joined end to end are one valid request."""
    path = settings.spool_file.replace("{pid}", str(os.getpid()))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size + len(body) > settings.spool_bytes:
                return False
            if os.write(descriptor, body) < len(body):
                os.ftruncate(descriptor, size)  # the disk is full: half a request would spoil the file
                return False
        finally:
            os.close(descriptor)
    except OSError:
        _safely.report("spool file")
        return False
    return True
