"""Gaussian mixtures with 60 digits, straight from the definition."""

from __future__ import annotations

import mpmath as mp
import torch
from torch import Tensor

DIGITS = 60


def mixture_log_prob_and_score(weights, means, covariances, x, sigma=0.0) -> tuple[float, Tensor]:
    """log p^sigma(x) and its gradient at one point x (n,), for covariances (K, n, n).

    The floats that come in are taken as exact; the answers are rounded once, at the end.
    """
    with mp.workdps(DIGITS):
        logs, slopes = [], []
        for weight, mean, covariance in zip(weights, means, covariances, strict=True):
            dim = len(mean)
            total = mp.matrix(covariance.tolist()) + mp.mpf(float(sigma)) ** 2 * mp.eye(dim)
            offset = mp.matrix(x.tolist()) - mp.matrix(mean.tolist())
            pulled = mp.lu_solve(total, offset)
            square = (offset.T * pulled)[0]
            log = mp.log(mp.mpf(float(weight))) if weight > 0 else mp.mpf("-inf")
            logs.append(log - (square + mp.log(mp.det(total)) + dim * mp.log(2 * mp.pi)) / 2)
            slopes.append(-pulled)
        top = max(logs)
        shares = [mp.exp(log - top) for log in logs]
        total = mp.fsum(shares)
        score = [
            float(mp.fsum(s * slope[i] for s, slope in zip(shares, slopes, strict=True)) / total)
            for i in range(len(x))
        ]
        return float(top + mp.log(total)), torch.tensor(score, dtype=torch.float64)
