"""Files of time tags made slowly, record by record: the twin of the fast readers. Layouts: see the readers' sources."""

import struct

PICOHARP = (0x00010203, 0x00010303)
HYDRAHARP_1 = (0x00010204, 0x00010304)
T2_TYPES = (0x00010203, 0x00010204, 0x01010204, 0x00010205, 0x00010206, 0x00010207)
T3_TYPES = (0x00010303, 0x00010304, 0x01010304, 0x00010305, 0x00010306, 0x00010307)


def tag(name, value, kind=None, index=-1):
    """One tag of the header; the type follows the value's if it is not given."""
    head = name.encode().ljust(32, b"\0") + struct.pack("<i", index)
    if isinstance(value, bytes):
        return head + struct.pack("<Iq", kind, len(value)) + value
    if isinstance(value, float):
        return head + struct.pack("<Id", kind or 0x20000008, value)
    return head + struct.pack("<Iq", kind or 0x10000008, value)


END = tag("Header_End", 0, 0xFFFF0008)


def ptu(kind, records, *extra, step_s=1e-12, dtime_s=1e-12, declared=None):
    """A PTU file with these records."""
    tags = (
        tag("File_GUID", b"{00000000-0000-0000-0000-000000000000}\0\0", 0x4001FFFF),
        tag("Measurement_Mode", 2 if kind in T2_TYPES else 3),
        tag("Measurement_SubMode", 0),
        *extra,
        tag("TTResultFormat_TTTRRecType", kind),
        tag("TTResultFormat_BitsPerRecord", 32),
        tag("MeasDesc_GlobalResolution", step_s),
        tag("MeasDesc_Resolution", dtime_s),
        tag("TTResult_NumberOfRecords", len(records) if declared is None else declared),
    )
    return b"PQTTTR\0\x001.0.00\0\0" + b"".join(tags) + END + struct.pack(f"<{len(records)}I", *records)


def t2_records(kind, events):
    """Records of events (step, what): what is a channel, "sync" or ("marker", bits)."""
    if kind in PICOHARP:
        return _with_overflows(events, 210698240, 1, lambda n: 0xF0000000, _picoharp_t2)
    if kind in HYDRAHARP_1:
        return _with_overflows(events, 33552000, 1, lambda n: 0xFE000000, _general_t2)
    return _with_overflows(events, 1 << 25, (1 << 25) - 1, lambda n: 0xFE000000 | n, _general_t2)


def t3_records(kind, events):
    """Records of events (sync pulse, what, dtime)."""
    if kind in PICOHARP:
        return _with_overflows(events, 1 << 16, 1, lambda n: 0xF0000000, _picoharp_t3)
    most = 1 if kind in HYDRAHARP_1 else 1023
    overflow = 0xFE000000 if kind in HYDRAHARP_1 else 0
    return _with_overflows(events, 1 << 10, most, lambda n: overflow or 0xFE000000 | n, _general_t3)


def _with_overflows(events, wrap, most, overflow, record):
    records, wraps = [], 0
    for step, *what in events:
        while step // wrap > wraps:
            now = min(step // wrap - wraps, most)
            records.append(overflow(now))
            wraps += now
        records.append(record(step - wraps * wrap, *what))
    return records


def _picoharp_t2(rest, what):
    if isinstance(what, tuple):
        return 0xF0000000 | rest & ~15 | what[1]
    return what << 28 | rest


def _general_t2(rest, what):
    if isinstance(what, tuple):
        return 1 << 31 | what[1] << 25 | rest
    return 1 << 31 | rest if what == "sync" else what << 25 | rest


def _picoharp_t3(rest, what, dtime):
    if isinstance(what, tuple):
        return 0xF0000000 | what[1] << 16 | rest
    return what << 28 | dtime << 16 | rest


def _general_t3(rest, what, dtime):
    if isinstance(what, tuple):
        return 1 << 31 | what[1] << 25 | rest
    return what << 25 | dtime << 10 | rest


def stamp(count, pattern, between=0):
    """A stamp of 64 bits: time in 1/256 ns modulo 2^54, detector bits, the bits between."""
    return count % 2**54 << 10 | between | pattern


def a1(stamps):
    return struct.pack(f"<{len(stamps)}Q", *stamps)


def a1x(stamps):
    return b"".join(struct.pack("<II", number >> 32, number & 0xFFFFFFFF) for number in stamps)


def a0(stamps):
    return "".join(f"{number & 0xFFFFFFFF:08x}\n{number >> 32:08x}\n" for number in stamps).encode()


def a2(stamps):
    return "".join(f"{number:016x}\n" for number in stamps).encode()


QUTAG_HEADER = b"quTAG".ljust(40, b"\x01")


def qutag(records, header=QUTAG_HEADER):
    """Records (time, channel) behind a header."""
    return header + b"".join(struct.pack("<qH", time, channel) for time, channel in records)
