"""Where an input comes from: every value carries a mark, and reports repeat it."""

from dataclasses import dataclass

from combmesh.ground.errors import InputError

MARKS = {
    "printed": "stands in the paper",
    "assumed": "not printed anywhere; the note gives the reason",
    "fitted": "adjusted to a printed value; never shown as a prediction",
    "given": "chosen by the user",
    "default": "not in the file",
    "derived": "not in the file; follows from other values",
}


@dataclass(frozen=True)
class Mark:
    """A mark of `MARKS` and, behind a colon, where it comes from or why it is assumed."""

    kind: str
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in MARKS:
            raise InputError(f"A mark must be one of {', '.join(MARKS)}, but is {self.kind!r}.")


def parse_mark(text: str) -> Mark:
    """Read `"printed: section 2.3"`.

    >>> parse_mark("printed: section 2.3")
    Mark(kind='printed', note='section 2.3')
    """
    kind, _, note = text.partition(":")
    return Mark(kind.strip(), note.strip())
