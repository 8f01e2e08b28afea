"""Small rendered scenes of one to many objects, where they stand, and how to count them."""

from projcomp.scenes.counter import (
    SOLID,
    WHOLE,
    Counter,
    Labelled,
    Sightings,
    colour_at,
    count,
    labelled,
    patches,
)
from projcomp.scenes.counting import Sighting, opacities, solid
from projcomp.scenes.datasets import (
    Pictures,
    empty_picture,
    on_lattice,
    one_coloured,
    one_object,
    one_to_many,
)
from projcomp.scenes.exact import Presences, clutter_parts, divided, log_chances_of
from projcomp.scenes.layouts import cluttered, free_clutter, lattice, scattered
from projcomp.scenes.objects import COLOURS, MATERIALS, SHAPES, Objects, random_objects
from projcomp.scenes.rendering import Camera, image_position, render

__all__ = [
    "COLOURS",
    "MATERIALS",
    "SHAPES",
    "SOLID",
    "WHOLE",
    "Camera",
    "Counter",
    "Labelled",
    "Objects",
    "Pictures",
    "Presences",
    "Sighting",
    "Sightings",
    "clutter_parts",
    "cluttered",
    "colour_at",
    "count",
    "divided",
    "empty_picture",
    "free_clutter",
    "image_position",
    "labelled",
    "lattice",
    "log_chances_of",
    "on_lattice",
    "one_coloured",
    "one_object",
    "one_to_many",
    "opacities",
    "patches",
    "random_objects",
    "render",
    "scattered",
    "solid",
]
