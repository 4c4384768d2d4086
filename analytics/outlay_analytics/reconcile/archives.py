"""The one bill in a ZIP archive, as AWS and Azure compress their exports. Nothing of an archive is trusted."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

from outlay_analytics.reconcile.bill import BadBill

SIGNATURE = b"PK\x03\x04"
BESIDE = re.compile(r"manifest|metadata|readme|(^|/)[._]", re.IGNORECASE)
SHOWN = 5


def unzipped(body: bytes, max_bytes: int) -> bytes:
    """The file of an archive that is a bill.

    Args:
        body: The archive.
        max_bytes: More than these are not unpacked.

    Raises:
        BadBill: If the archive is damaged or locked, or holds none or several, or too large a file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir() and not BESIDE.search(one.filename)]
            if len(members) != 1:
                shown = ", ".join(one.filename[:60] for one in members[:SHOWN]) or "none"
                raise BadBill(
                    f"the archive has {len(members)} files ({shown}); take a bill's file out and send it alone"
                )
            with archive.open(members[0]) as file:
                found = file.read(max_bytes + 1)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error, OSError) as exc:
        raise BadBill(f"the bill cannot be unpacked: {str(exc)[:200]}") from exc
    if len(found) > max_bytes:
        raise BadBill(f"the bill is larger than {max_bytes >> 20} MiB; split it by month")
    return found
