"""Learned scores: preconditioned networks as densities, their training, and shipped weights."""

from projcomp.networks.denoiser import Denoiser
from projcomp.networks.fitting import Training, fit
from projcomp.networks.mlp import MLP
from projcomp.networks.pictures import COUNTS, PICTURE_MODELS, composed_places, load_picture_model
from projcomp.networks.preconditioning import Preconditioned, Preconditioning
from projcomp.networks.recipe import Recipe
from projcomp.networks.shipped import SHIPPED, load
from projcomp.networks.store import load_network, save_network, writable
from projcomp.networks.training import Labelled, Stream, denoising_loss, train
from projcomp.networks.unet import AVERAGE, UNet
from projcomp.networks.vocabulary import Vocabulary
from projcomp.networks.words import Words, load_words

__all__ = [
    "AVERAGE",
    "COUNTS",
    "MLP",
    "PICTURE_MODELS",
    "SHIPPED",
    "Denoiser",
    "Labelled",
    "Preconditioned",
    "Preconditioning",
    "Recipe",
    "Stream",
    "Training",
    "UNet",
    "Vocabulary",
    "Words",
    "composed_places",
    "denoising_loss",
    "fit",
    "load",
    "load_network",
    "load_picture_model",
    "load_words",
    "save_network",
    "train",
    "writable",
]
