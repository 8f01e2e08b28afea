"""How fast scenes are rendered, pictures sampled, and networks of pictures trained.

Prints four tables: objects rendered per second; the seconds for 16 pictures of nine objects by 60
Euler steps from exact scores, composed over the empty floor (A), over the average (B) and over
cluttered pictures; pictures per second of training, beside a plain loop; and the seconds for 16
pictures by a network.
"""

from __future__ import annotations

import argparse
import math
import sys

import projcomp as pc
import torch
from projcomp import networks, scenes
from projcomp.networks.pictures import blank_picture_model
from samplers import least, seeded

SIZES = (32, 64, 128)
DRAWN, PIXELS, BATCH = 16, 32, 64


def crowd(n: int, count: int) -> scenes.Objects:
    """n scenes of `count` objects, none of them absent."""
    places = scenes.scattered(n, count, generator=seeded())
    return scenes.random_objects(places, generator=seeded())


def compositions(pictures: int) -> dict[str, pc.Density]:
    """Nine objects from banks of so many pictures each, over three backgrounds."""
    banks = []
    for seed, place in enumerate(scenes.lattice()):
        one = scenes.random_objects(
            place.expand(pictures, 1, 2), generator=seeded(seed), place_jitter=0.05
        )
        banks.append(scenes.render(one, PIXELS).flatten(1).double())
    empty = scenes.empty_picture(PIXELS).flatten().double()
    concepts = [pc.Empirical(bank) for bank in banks]
    blocks = scenes.divided(banks, empty)
    parts = scenes.clutter_parts(banks, empty, blocks)
    chances = [scenes.log_chances_of(len(banks), j, rate=0.3) for j in range(len(banks))]
    mean = torch.logsumexp(torch.stack(chances), 0) - math.log(len(banks))
    cluttered = [scenes.Presences(*parts, blocks, c) for c in chances]
    return {
        "A, empty floor": pc.compose(pc.Empirical(empty[None]), concepts),
        "B, average": pc.compose(pc.Empirical(torch.cat(banks)), concepts),
        "cluttered": scenes.Presences(*parts, blocks, mean).composed_with(cluttered),
    }


def draw(density: pc.Density, steps: int, count: int = DRAWN) -> torch.Tensor:
    levels = pc.sigma_grid(0.02, 20.0, steps + 1)[:-1]
    noise = torch.randn(count, density.dim, generator=seeded(), dtype=torch.float64)
    return pc.reverse_diffusion(
        density, count, levels, "euler", start=0.5 + 20.0 * noise, progress=False
    ).samples


def rendering(repeats: int, quick: bool) -> None:
    """Always on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    print("rendering, one thread: objects per second")
    for pixels in SIZES:
        n = 2 if quick else 960 * 32**2 // pixels**2
        for count in (1, 5):
            objects = crowd(n, count)
            seconds = least(lambda o=objects, p=pixels: scenes.render(o, p), repeats)
            name = f"{pixels} pixels, {count} in a scene"
            print(f"  {name:<42} {n * count / seconds:>8,.0f}", flush=True)
    torch.set_num_threads(threads)


def sampling(repeats: int, quick: bool) -> None:
    steps = 2 if quick else 60
    for pictures in (20,) if quick else (60, 300):
        print(
            f"{DRAWN} pictures of nine objects, {PIXELS} pixels, {steps} Euler steps, "
            f"banks of {pictures}, {torch.get_num_threads()} threads: seconds"
        )
        for name, density in compositions(pictures).items():
            seconds = least(lambda d=density: draw(d, steps), repeats)
            print(f"  {name:<42} {seconds:>8.3f}", flush=True)


def plain_loop(model, data, steps: int, batch: int) -> None:
    """The same training, as one would first write it: float32, no averaging, no checkpoint."""
    generator = seeded(1)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(steps):
        clean, told = data.draw(batch, generator)
        sigma = (-1.0 + 1.4 * torch.randn(batch, generator=generator)).exp()
        noise = torch.randn(clean.shape, generator=generator)
        guess = model(clean + sigma[:, None] * noise, sigma, told)
        loss = (model.weight(sigma) * (guess - clean).square().mean(1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def training(repeats: int, quick: bool) -> None:
    steps, batch = (2, 4) if quick else (20, BATCH)
    pictures = scenes.one_object(64, generator=seeded(1))
    told = torch.cat([torch.ones(64, 1), pictures.place], 1)
    data = networks.Labelled(pictures.values, torch.arange(64), told)

    def train(precision):
        networks.train(
            blank_picture_model("one"), data,
            networks.Recipe(steps, batch, 1e-3, precision=precision, progress=False),
            log_sigma=(-1.0, 1.4), generator=seeded(1),
        )  # fmt: skip

    print(f"training, batches of {batch}, {torch.get_num_threads()} threads: pictures per second")
    for name, run in (
        ("networks.train, bfloat16", lambda: train("bfloat16")),
        ("networks.train, float32", lambda: train("float32")),
        (
            "a plain loop, float32",
            lambda: plain_loop(blank_picture_model("one"), data, steps, batch),
        ),
    ):
        seconds = least(run, repeats)
        print(f"  {name:<42} {steps * batch / seconds:>8,.0f}", flush=True)


def learned(repeats: int, quick: bool) -> None:
    steps, drawn = (2, 2) if quick else (23, DRAWN)
    model = networks.load_picture_model("one")
    spots = scenes.image_position(scenes.lattice())
    print(
        f"{drawn} pictures by a network, {steps} Euler steps, {torch.get_num_threads()} threads: "
        "seconds"
    )
    for count in (4, 9):
        density = networks.composed_places(model, spots[:count])
        seconds = least(lambda d=density: draw(d, steps, drawn), repeats)
        print(f"  {f'{count} objects':<42} {seconds:>8.3f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--quick", action="store_true", help="few pictures and steps")
    options = parser.parse_args()
    if options.threads < 1 or options.repeats < 1:
        parser.error("--threads and --repeats must be at least 1")
    torch.set_num_threads(options.threads)
    for table in (rendering, sampling, training, learned):
        table(options.repeats, options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
