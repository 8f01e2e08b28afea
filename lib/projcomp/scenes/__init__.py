"""Small rendered scenes of one to many objects, where they stand, and how to count them."""

from projcomp.scenes.counting import Sighting, opacities
from projcomp.scenes.exact import Presences, clutter_parts, divided, log_chances_of
from projcomp.scenes.layouts import cluttered, free_clutter, lattice, scattered
from projcomp.scenes.objects import COLOURS, MATERIALS, SHAPES, Objects, random_objects
from projcomp.scenes.rendering import Camera, image_position, render

__all__ = [
    "COLOURS",
    "MATERIALS",
    "SHAPES",
    "Camera",
    "Objects",
    "Presences",
    "Sighting",
    "clutter_parts",
    "cluttered",
    "divided",
    "free_clutter",
    "image_position",
    "lattice",
    "log_chances_of",
    "opacities",
    "random_objects",
    "render",
    "scattered",
]
