"""Puts Outlay's parts together for one data directory: the server does it, and a command that finds no server running.

Order matters: the lock before the store (its own refusal names nobody), TMPDIR before anything that writes temporary
files, tables before whoever reads them.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from outlay_collector.store import migrate, open_store
from outlay_web.config import Config
from outlay_web.lock import DataLock

logger = logging.getLogger(__name__)


def outlay_version() -> str:
    try:
        return installed_version("outlay")
    except PackageNotFoundError:
        return "0.0.0"


class Assembly:
    """Everything for one data directory, opened and not yet running.

    Args:
        command: What holds the directory, as another process will be told.
        background: Whether this process loads, settles and rolls up by itself (`outlay serve`).
    """

    def __init__(self, config: Config, *, command: str, background: bool = False) -> None:
        self.config = config
        settings = config.settings
        self.lock = DataLock(settings.data, command)
        self._closers: list[Any] = []
        try:
            self._open(background)
        except BaseException:
            self.close()
            raise

    def _open(self, background: bool) -> None:
        settings = self.config.settings
        use_own_temp_dir(settings.data / "tmp")
        self.sections = parse_sections(self.config.sections)
        self.store = open_store(settings.dsn)
        migrate(self.store)


def use_own_temp_dir(path: Path) -> None:
    """Temporary files go beside the data: private, and emptied at each start."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, exist_ok=True)
    os.environ["TMPDIR"] = str(path)
    tempfile.tempdir = str(path)
