"""A bench instrument over TCP, driven by the very regulators that drive the models.

One line a request, one line an answer, ASCII, in the manner of SCPI: `MEAS?` is answered by a number or `NAN`;
`SET <value>` by `OK`. A late or garbled answer is a missing measurement, not an error: the regulator holds, and
declares the lock lost when its patience ends. Answers that come too late are thrown away before the next request. A
device that hangs up is an error.
"""

import socket
import time
from dataclasses import dataclass, field
from math import nan

from combmesh.ground.errors import RunError, check_positive, check_range

LONGEST_LINE = 256


@dataclass
class LineInstrument:
    """A `combmesh.ground.control.Instrument` behind a socket.

    Attributes:
        host, port: where it listens.
        timeout_s: how long an answer may take, s.
        late: answers that came too late or were no number, so far.
    """

    host: str
    port: int
    timeout_s: float = 1.0
    late: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        check_range("port", self.port, 1, 65535)
        check_positive("timeout_s", self.timeout_s)
        try:
            self._socket = socket.create_connection((self.host, self.port), self.timeout_s)
        except OSError as error:
            raise RunError(f"No instrument answers at {self.host}:{self.port}: {error}.") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # requests are small and in a hurry
        self._received = b""
        self._owed = 0  # answers to earlier requests that may still come

    def measure(self) -> float:
        """One measurement; NaN if none came in time."""
        answer = self._ask("MEAS?")
        try:
            return nan if answer is None else float(answer)
        except ValueError:
            self.late += 1
            return nan

    def actuate(self, setting: float) -> None:
        """Set the actuator, which may saturate. A late acknowledgement is counted and otherwise ignored."""
        self._ask(f"SET {setting!r}")

    def ask(self, request: str) -> str | None:
        """The answer to any other request; None if it is late, which is counted."""
        return self._ask(request)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _ask(self, request: str) -> str | None:
        """The answer to a request, None if it is late."""
        deadline = time.monotonic() + self.timeout_s
        try:
            self._socket.sendall(request.encode("ascii") + b"\n")
            self._owed += 1
            while self._owed:
                line = self._line(deadline)
                if line is None:
                    self.late += 1
                    return None
                self._owed -= 1
        except OSError as error:
            raise RunError(f"The instrument at {self.host}:{self.port} hung up: {error}.") from error
        return line

    def _line(self, deadline: float) -> str | None:
        while b"\n" not in self._received:
            left_s = deadline - time.monotonic()
            if left_s <= 0.0:
                return None
            self._socket.settimeout(left_s)
            try:
                part = self._socket.recv(4096)
            except TimeoutError:
                return None
            if not part:
                raise ConnectionError("it closed the connection")
            self._received += part
            if len(self._received) > LONGEST_LINE and b"\n" not in self._received:
                raise ConnectionError(f"it sent a line of more than {LONGEST_LINE} bytes")
        line, _, self._received = self._received.partition(b"\n")
        return line.decode("ascii", "replace").strip()
