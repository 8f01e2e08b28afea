"""Learned scores: preconditioned networks as densities, their training, and shipped weights."""

from projcomp.networks.denoiser import Denoiser
from projcomp.networks.mlp import MLP
from projcomp.networks.preconditioning import Preconditioned, Preconditioning
from projcomp.networks.shipped import SHIPPED, load
from projcomp.networks.store import load_network, save_network
from projcomp.networks.training import Training, denoising_loss, train

__all__ = [
    "MLP",
    "SHIPPED",
    "Denoiser",
    "Preconditioned",
    "Preconditioning",
    "Training",
    "denoising_loss",
    "load",
    "load_network",
    "save_network",
    "train",
]
