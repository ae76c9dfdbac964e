"""Which parities of a block have been asked for; both ends keep one, and what it counts is what has been disclosed."""

from dataclasses import dataclass

from combmesh.distill.ldpc.code import LADDER
from combmesh.distill.ldpc.frames import Layout, reveal_rows
from combmesh.distill.ldpc.messages import LdpcRequest, LdpcSetup, SyndromeRequest
from combmesh.ground.errors import RunError


@dataclass(frozen=True)
class Part:
    """Parities of one frame: all whole rows if `whole`, and the first halves of rows `first` to `end`."""

    frame: int
    whole: bool
    first: int
    end: int


class Progress:
    """Of one block, from its setup on.

    `n_disclosed`: Alice's parities. `n_acknowledged`: bits that Bob's requests tell, one for each frame and reply:
    whether it has been decoded.
    """

    def __init__(self, setup: LdpcSetup) -> None:
        self._setup = setup
        self._n_rows = LADDER[setup.code]
        self._n_frames = Layout(setup.n_bits, setup.lift).n_frames
        self._n_sent = 0
        self._splits: dict[int, tuple[int, int]] = {}
        self.n_disclosed = 0
        self.n_acknowledged = 0

    def take(self, request: LdpcRequest) -> tuple[Part, ...]:
        """The parities that `request` asks for; refuses what has been sent, is out of order or does not exist."""
        if isinstance(request, SyndromeRequest):
            parts = self._syndromes(request)
        else:
            parts = tuple(self._split(int(k)) for k in request.frames)
        self.n_disclosed += self.size(parts)
        self.n_acknowledged += len(parts)
        return parts

    def size(self, parts: tuple[Part, ...]) -> int:
        """How many parities these are."""
        return self._setup.lift * sum(p.end - p.first + self._n_rows * p.whole for p in parts)

    def can_split(self, frame: int) -> bool:
        """Whether a row of `frame` is still whole."""
        return self._splits[frame][0] < self._n_rows

    def _syndromes(self, request: SyndromeRequest) -> tuple[Part, ...]:
        end = request.first + request.n_frames
        if request.first != self._n_sent or end > self._n_frames:
            raise RunError(
                f"Frame {self._n_sent} of {self._n_frames} is next, but Bob asks for {request.first} to {end - 1}."
            )
        self._n_sent = end
        n_split = self._setup.n_split
        self._splits |= dict.fromkeys(range(request.first, end), (n_split, 0))
        return tuple(Part(k, True, 0, n_split) for k in range(request.first, end))

    def _split(self, frame: int) -> Part:
        if frame not in self._splits:
            raise RunError(f"Frame {frame} has no syndrome yet, but Bob asks for more of it.")
        n_split, n_round = self._splits[frame]
        n_more = reveal_rows(self._n_rows, n_split, n_round)
        if n_more == 0:
            raise RunError(f"All rows of frame {frame} have been split, but Bob asks for more of it.")
        self._splits[frame] = (n_split + n_more, n_round + 1)
        return Part(frame, False, n_split, n_split + n_more)
