r"""Cascade: Bob finds his errors by asking for parities of Alice's bits; the two share nothing but messages.

Brassard and Salvail (1994) with the reuse of every parity of Martinez-Mateo et al., QIC 15, 453 (2015), further:

- Three layers: permutations of the block, the first one too, so that bursts are like scattered errors (`orders`). Long
  blocks are cut in frames; all frames share each message, so a message carries hundreds of questions.
- A question is one number, the place up to which Alice gives the parity of her bits from the start of a layer
  (`oracle`); she looks it up. One to three bytes on the wire (`coding`).
- Bob keeps bitmaps of his bits, of the places where he knows Alice's parity, and of the odd intervals between them, in
  lists by size (`marks`); he always halves the smallest odd ones, of any layer, some at a time (`waves`, `schedule`).
- Small intervals are halved at half of their posterior weight (`weights`).
- At the end, parities of random masks until 20 in a row are even (`masks`).

What Bob discloses. His first blocks follow from public numbers, and each further question from his reactions to the
answers: whether his parity of an interval for which Alice gave hers differs. So all that he sends is a function of the
seed, of the plan, and of parities of the *error pattern* in these intervals, at most one new bit for each of
Alice's; the ledger counts as many. Weights and free questions follow from these same parities. Parities that are known
already, the last block of a pass after the first and parts where nothing can be wrong, are not asked.

An odd interval of one bit is an error for certain, so the errors only become fewer and the search ends. Parities that
contradict each other would flip a bit twice, or one beyond the end, which stops it.
"""

from combmesh.distill.cascade.correction import draw_setup, search, unpack_reply
from combmesh.distill.cascade.oracle import ParityOracle, question_limit
from combmesh.distill.cascade.schedule import SCHEDULE_NAMES, ScheduleName
from combmesh.distill.correction import Correction

__all__ = [
    "SCHEDULE_NAMES",
    "Correction",
    "ParityOracle",
    "ScheduleName",
    "draw_setup",
    "question_limit",
    "search",
    "unpack_reply",
]
