"""Tables and documents as files, each written whole or not at all."""

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from numbers import Integral, Real
from pathlib import Path

from combmesh.ground.errors import InputError, RunError
from combmesh.report.rows import FIELDS, PairRow


def write_csv(rows: Iterable[PairRow], path: Path | str) -> None:
    """One line for each pair under a line of names; None and NaN are empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows([_csv_value(getattr(row, field)) for field in FIELDS] for row in rows)
    write_atomic(text.getvalue().encode(), path)


def write_json(document: Mapping[str, object], path: Path | str) -> None:
    """The document as JSON; NaN and infinite numbers become null, bytes and foreign types are refused."""
    write_atomic((json_text(document, indent=2) + "\n").encode(), path)


def json_text(document: Mapping[str, object] | list[object], indent: int | None = None) -> str:
    """The document as strict JSON."""
    return json.dumps(_plain(document, "document"), indent=indent, ensure_ascii=False, allow_nan=False)


def write_atomic(content: bytes, path: Path | str) -> None:
    """Put `content` at `path`: a reader sees the old file or the whole new one, also after a power cut."""
    path = Path(path)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), 0o644)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise RunError(f"Could not write `{path}`: {error.strerror}.") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _csv_value(value: object) -> object:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _plain(value: object, name: str) -> object:
    """`value` in the types of JSON; `name` tells where it stands in the document."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):  # NumPy's too
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_plain_key(key, name): _plain(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{name}[{i}]") for i, item in enumerate(value)]
    raise InputError(f"`{name}` must be of a type that JSON knows, but is of type {type(value).__name__}.")


def _plain_key(key: object, name: str) -> str:
    if not isinstance(key, str):
        raise InputError(f"The keys of `{name}` must be strings, but one is {key!r}.")
    return key
