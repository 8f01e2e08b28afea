"""A world with words: small pictures, what is said of them, and what can be seen in them."""

from projcomp.words.captions import caption, meaning, said_of, true_of, words
from projcomp.words.counted import COUNTS, VERDICTS, Counted, areas, counts, pairs
from projcomp.words.judging import Judge, judge
from projcomp.words.labelling import Labelled, confusion, described, judged, labelled
from projcomp.words.lessons import lessons
from projcomp.words.seen import SOLID, Seen
from projcomp.words.styles import FLOORS, HIDDEN, STYLES
from projcomp.words.world import (
    ATTRIBUTES,
    HELD_OUT,
    OBJECT,
    PLACES,
    UNSEEN,
    Depictions,
    depictions,
    pictured,
)

__all__ = [
    "ATTRIBUTES", "COUNTS", "FLOORS", "HELD_OUT", "HIDDEN", "OBJECT", "PLACES", "SOLID", "STYLES",
    "UNSEEN", "VERDICTS", "Counted", "Depictions", "Judge", "Labelled", "Seen", "areas", "caption",
    "confusion", "counts", "depictions", "described", "judge", "judged", "labelled", "lessons",
    "meaning", "pairs", "pictured", "said_of", "true_of", "words",
]  # fmt: skip
