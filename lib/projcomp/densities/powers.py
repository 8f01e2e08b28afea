"""The hot loop: products of powers of Gaussian mixtures, evaluated in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp._modes import keepable
from projcomp.densities._scratch import Scratch
from projcomp.densities.base import Density

_LOG_2PI = math.log(2 * math.pi)
_FAR = 1e5
"""Means this many standard deviations from their centre would cost the products five digits."""

_LEAST = -690.0
"""Log shares below it count as it: 1e-300. Of numbers that underflow exp takes 50 times as long."""


class MixturePowers(Density):
    """prod_j p_j^{c_j}, unnormalised, for m Gaussian mixtures p_j of K components each.

    With covariances R^T Lambda R and z = (Lambda + sigma^2)^(-1/2) R (x - mean), a component has
    log density -|z|^2 / 2 plus a constant and score -R^T (Lambda + sigma^2)^(-1/2) z. At one sigma,
    and with fewer dimensions than components, one matrix product makes every z and another brings
    the weighted precisions back. Log densities come from z rather than from expanded quadratic
    forms, so they keep their digits for nearly singular covariances; and x and the means are taken
    from the centre of the means, so that a large common offset costs none. Where the means lie far
    from each other for their variances, every x - mean is formed instead.

    Args (float64, not checked: `GaussianMixture` and `compose` do):
        log_weights: m tensors (K,); means, variances: (K, n); rotations: (K, n, n), or None
        where the covariance is diagonal. exponents: c, m numbers.
    """

    def __init__(
        self,
        log_weights: Sequence[Tensor],
        means: Sequence[Tensor],
        variances: Sequence[Tensor],
        rotations: Sequence[Tensor | None],
        exponents: Sequence[float],
    ):
        components, dim = means[0].shape
        super().__init__(dim)
        self._shape = len(means), components
        rotation = None
        if any(r is not None for r in rotations) or dim < components * len(means):
            eye = torch.eye(dim, dtype=torch.float64, device="cpu").expand(components, dim, dim)
            rotation = torch.stack([eye if r is None else r.cpu() for r in rotations])
            rotation = rotation.permute(2, 0, 1, 3).contiguous()  # (n, m, K, n)
        every = torch.cat([m.cpu() for m in means])
        centre = every.mean(0)
        reach = float((every - centre).abs().max())
        least, most = (float(m) for m in torch.cat([v.cpu() for v in variances]).aminmax())
        absent = any(bool(w.isinf().any()) for w in log_weights)
        self._size = math.inf if absent else reach, least, most
        self.far = reach > _FAR * least**0.5
        if self.far:
            centre = torch.zeros_like(centre)
        self._home = (
            centre[:, None],  # (n, 1)
            torch.stack([w.cpu() for w in log_weights]),  # (m, K)
            torch.stack([m.cpu() - centre for m in means]).permute(2, 0, 1).contiguous(),
            torch.stack([v.cpu() for v in variances]).permute(2, 0, 1).contiguous(),  # (n, m, K)
            rotation,
            torch.tensor(list(exponents), dtype=torch.float64, device="cpu")[:, None],  # (m, 1)
        )
        self._forget()

    def _forget(self) -> None:
        self._local = {torch.device("cpu"): self._home}
        self._last: tuple = (None, None)

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k not in ("_local", "_last")}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._forget()

    def _log_prob(self, x, sigma):
        return self._evaluate(x, sigma, score=False)[0]

    def _score(self, x, sigma):
        return self._evaluate(x, sigma, log_prob=False)[1]

    def _log_prob_and_score(self, x, sigma):
        return self._evaluate(x, sigma)

    def each(self, x: Tensor, sigma: Tensor, log_prob: bool) -> tuple[Tensor | None, Tensor]:
        """Log density, (B,), if wanted, and the score of every mixture by itself: (m, n, B)."""
        return self._evaluate(x, sigma, log_prob, each=True)

    def _evaluate(self, x, sigma, log_prob=True, score=True, each=False):
        """Log density and score, each computed only if wanted; or the score of `each` mixture."""
        n, batch = x.shape
        m, k = self._shape
        scratch = Scratch(x, sigma)
        found = self._at(sigma, x.device)
        _, _, rotation, exponents, scale, _, affine, pull, _ = found
        x, lifted, z, share, total, top = self._shares(x, found, scratch)
        log_prob = (exponents * (total.log() + top)).sum(0) if log_prob else None
        if not score:
            return log_prob, None
        if each:
            rows = self._rows(x, z, share, rotation, scale, pull, scratch)
            return log_prob, rows / -total[:, None]
        share = torch.mul(share, (-exponents / total)[:, None], out=scratch.inplace(share))
        if affine is not None:
            pulled = (pull @ share.view(m * k, batch)).view(n, n + 1, batch)
            return log_prob, (pulled * lifted).sum(1)
        z = torch.mul(z, share, out=scratch.inplace(z))
        z = torch.mul(z, scale, out=scratch.inplace(z)).reshape(n * m * k, batch)
        if rotation is None:
            return log_prob, z.view(n, m * k, batch).sum(1)
        return log_prob, rotation.view(-1, n).T @ z

    def _laplacian(self, x, sigma):
        """sum_j c_j (sum_k r_k (|g_k|^2 - tr P_k) - |s_j|^2): g_k and P_k a component's score and
        precision, r_k its share of p_j."""
        scratch = Scratch(x, sigma)
        found = self._at(sigma, x.device)
        _, _, rotation, exponents, scale, _, _, pull, _ = found
        x, _, z, share, total, _ = self._shares(x, found, scratch)
        bend = (share * (scale**2 * (z**2 - 1.0)).sum(0)).sum(1) / total
        scores = self._rows(x, z, share, rotation, scale, pull, scratch) / total[:, None]
        return (exponents * (bend - (scores * scores).sum(1))).sum(0)

    def _shares(self, x, found, scratch):
        """What both need: x from the centre, with a row of ones if need be, z (n, m, K, B), each
        component's share (m, K, B) up to the factor 1 / total, total and its log offset (m, B)."""
        n, batch = x.shape
        m, k = self._shape
        centre, means, rotation, _, scale, constant, affine, _, cut = found
        x, lifted = x - centre, None
        if affine is not None:
            lifted = torch.cat([x, x.new_ones(1, batch)])
            z = torch.mm(affine, lifted, out=scratch("z", n * m * k, batch)).view(n, m, k, batch)
        elif rotation is None:
            z = torch.sub(x[:, None, None], means[..., None], out=scratch("z", n, m, k, batch))
            z = torch.mul(z, scale, out=scratch.inplace(z))
        elif self.far:
            gaps = x[:, None, None] - means[..., None]
            z = torch.einsum("imkj,jmkb->imkb", rotation, gaps) * scale
        else:
            rotated = (rotation.view(-1, n) @ x).view(n, m, k, batch)
            z = (rotated - (rotation * means.permute(1, 2, 0)).sum(3)[..., None]) * scale

        share = _log_shares(constant, z, scratch)  # becomes each component's posterior probability
        top = share.detach().amax(1)
        share = torch.sub(share, top[:, None], out=scratch.inplace(share))
        if cut:
            share = torch.clamp(share, min=_LEAST, out=scratch.inplace(share))
        share = torch.exp(share, out=scratch.inplace(share))
        return x, lifted, z, share, share.sum(1), top

    def _rows(self, x, z, share, rotation, scale, pull, scratch) -> Tensor:
        """Of each mixture the weighted sum of precision (x - mean): (m, n, B)."""
        n, (m, k) = self.dim, self._shape
        if pull is not None and n < k:
            wide = pull.view(n * (n + 1), m, k).transpose(0, 1)
            pulled = torch.bmm(wide, share, out=scratch("pull", m, n * (n + 1), x.shape[1]))
            pulled = pulled.view(m, n, n + 1, x.shape[1])
            total = pulled[:, :, n]
            for i in range(n):
                total = torch.addcmul(total, pulled[:, :, i], x[i], out=scratch.inplace(total))
            return total
        z = torch.mul(z, share, out=scratch.inplace(z))
        z = torch.mul(z, scale, out=scratch.inplace(z))
        if rotation is None:
            return z.sum(2).transpose(0, 1)
        return torch.einsum("imkj,imkb->mjb", rotation, z)

    def _at(self, sigma, device):
        """What depends on sigma alone; kept for the last single sigma."""
        single = sigma.ndim == 0
        key = (float(sigma), device) if single and keepable(sigma) else None
        last_key, last = self._last
        if key is not None and key == last_key:
            return last
        centre, log_weights, means, variances, rotation, exponents = self._parameters(device)
        n, (m, k) = len(means), self._shape
        scale = (variances[..., None] + sigma**2).rsqrt()  # (n, m, K, 1 or B)
        constant = log_weights[..., None] - 0.5 * n * _LOG_2PI + scale.log().sum(0)
        affine = pull = None
        if single and n < m * k and not self.far:
            # z = affine (x, 1), and the weighted sum of precision (x - mean) is weights @ pull.
            matrix = (scale * rotation).view(n, m * k, n)
            shift = (matrix * means.reshape(n, -1).T).sum(2)  # (n, m K)
            rows = torch.cat([matrix, -shift[..., None]], 2)  # (n, m K, n + 1)
            affine = rows.view(-1, n + 1)
            pull = torch.einsum("aci,acj->ijc", matrix, rows).reshape(n * (n + 1), m * k)
        cut = key is None or self._underflows(key[0])
        found = (centre, means, rotation, exponents, scale, constant, affine, pull, cut)
        if key is not None:
            self._last = (key, found)
        return found

    def _underflows(self, sigma: float) -> bool:
        """Whether log shares pass `_LEAST` within 12 standard deviations: it costs time alone."""
        reach, least, most = self._size
        across = 2.0 * reach + 12.0 * math.sqrt(most + sigma**2)
        return across**2 > -2.0 * _LEAST * (least + sigma**2)

    def _parameters(self, device: torch.device) -> tuple[Tensor | None, ...]:
        """Centre, log weights, means from the centre, variances, rotation, exponents (m, 1)."""
        if device in self._local:
            return self._local[device]
        moved = tuple(p if p is None else p.to(device) for p in self._home)
        if keepable():
            self._local[device] = moved
        return moved

    def _chunk(self, device):
        m, k = self._shape
        budget = 1 << 20 if device.type == "cpu" else 1 << 27
        return max(256, budget // (m * k * self.dim))


def _log_shares(constant: Tensor, z: Tensor, scratch: Scratch) -> Tensor:
    """constant - |z|^2 / 2, with squares summed over the first axis of z, (n, m, K, B)."""
    n, *shape = z.shape
    if n > 4:
        squares = torch.mul(z, z, out=scratch("square", n, *shape)).sum(0)
        return torch.add(constant, squares, alpha=-0.5, out=scratch.inplace(squares))
    total = torch.addcmul(constant, z[0], z[0], value=-0.5, out=scratch("square", *shape))
    for row in z[1:]:
        total = torch.addcmul(total, row, row, value=-0.5, out=scratch.inplace(total))
    return total
