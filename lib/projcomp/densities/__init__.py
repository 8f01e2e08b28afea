"""Densities: one surface, and the exact members of the family."""

from projcomp.densities.bank import Bank, Subset
from projcomp.densities.base import Density, Flat
from projcomp.densities.blocks import BlockProduct
from projcomp.densities.either import Mixture
from projcomp.densities.empirical import Empirical
from projcomp.densities.mixtures import GaussianMixture, gaussian
from projcomp.densities.scored import Scored
from projcomp.densities.shapes import Box, Ring
from projcomp.densities.transforms import (
    Diffeomorphism,
    Identity,
    LinearMap,
    Pushforward,
    Turn,
    pushforward,
)

__all__ = [
    "Bank",
    "BlockProduct",
    "Box",
    "Density",
    "Diffeomorphism",
    "Empirical",
    "Flat",
    "GaussianMixture",
    "Identity",
    "LinearMap",
    "Mixture",
    "Pushforward",
    "Ring",
    "Scored",
    "Subset",
    "Turn",
    "gaussian",
    "pushforward",
]
