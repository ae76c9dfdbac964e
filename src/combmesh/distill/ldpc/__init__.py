"""One-way reconciliation: Alice sends the syndrome of her bits in a quasi-cyclic LDPC code, Bob decodes his to it."""

from combmesh.distill.ldpc.correction import decode
from combmesh.distill.ldpc.frames import choose_setup
from combmesh.distill.ldpc.messages import (
    LdpcReply,
    LdpcRequest,
    LdpcSetup,
    RevealReply,
    RevealRequest,
    SyndromeReply,
    SyndromeRequest,
)
from combmesh.distill.ldpc.oracle import SyndromeOracle
from combmesh.distill.ldpc.progress import Progress

__all__ = [
    "LdpcReply",
    "LdpcRequest",
    "LdpcSetup",
    "Progress",
    "RevealReply",
    "RevealRequest",
    "SyndromeOracle",
    "SyndromeReply",
    "SyndromeRequest",
    "choose_setup",
    "decode",
]
