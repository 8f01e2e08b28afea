"""A small ray caster: spheres, cubes and cylinders on a lit floor, vectorised over scenes.

Every object is cast on its own, with its soft shadow on the floor; then the scene is put together
from the back to the front.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import CPU32
from projcomp.scenes.objects import SIZE, Objects

_LIGHT = (-2.6, -2.2, 6.0)
_LIGHT_SPREAD = 0.9
_LIGHT_SAMPLES = ((0.0, 0.0), (0.8, 0.3), (-0.3, 0.8), (-0.8, -0.3), (0.3, -0.8))
_SHADE, _AMBIENT, _FAR = 0.62, 0.36, 1e9
_CHUNK = 96


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks at the centre of the floor.

    distance, height: of the eye, behind and above the centre. field: half the width of what it
    sees at the centre. samples: rays along each side of a pixel.
    """

    distance: float = 5.0
    height: float = 8.0
    field: float = 2.15
    samples: int = 2


@dataclass(frozen=True)
class _Rays:
    origin: Tensor  # (3,)
    direction: Tensor  # (P, 3), unit


@lru_cache(maxsize=8)
def _view(camera: Camera, pixels: int) -> tuple[_Rays, Tensor, Tensor]:
    """Rays of all subpixels, where they meet the floor, and the empty floor's brightness."""
    eye, forward, right, up = _frame(camera)
    fine = pixels * camera.samples
    ramp = (2 * (torch.arange(fine, **CPU32) + 0.5) / fine - 1) * camera.field / eye.norm()
    down, across = torch.meshgrid(-ramp, ramp, indexing="ij")
    direction = forward + across[..., None] * right + down[..., None] * up
    direction = (direction / direction.norm(dim=-1, keepdim=True)).reshape(-1, 3)
    floor = eye + direction * (-eye[2] / direction[:, 2:])
    vignette = 1.0 - 0.022 * floor[:, :2].square().sum(-1).clamp(max=14.0)
    return _Rays(eye, direction), floor, (0.665 * vignette).clamp(min=0.2)


def render(objects: Objects, pixels: int = 32, camera: Camera | None = None) -> Tensor:
    """Pictures (N, 3, pixels, pixels), float32 in [0, 1], of the scenes.

    Raises ValueError for fewer than 4 pixels.
    """
    pixels = _check.count("pixels", pixels, 4)
    camera = Camera() if camera is None else camera
    parts = [
        _render(_slice(objects, start, start + _CHUNK), pixels, camera)
        for start in range(0, len(objects), _CHUNK)
    ]
    return torch.cat(parts) if parts else torch.empty(0, 3, pixels, pixels, **CPU32)


def image_position(place, height: float = SIZE, camera: Camera | None = None) -> Tensor:
    """Where points above floor places appear in a picture: (..., 2), as (u, v), float32.

    u runs to the right and v down the rows, from -1 to 1 at the outer edges of the picture: the
    centre of pixel (row, column) is at u = (2 column + 1) / pixels - 1, v = (2 row + 1) / pixels
    - 1. Points out of sight have coordinates beyond.

    Args:
        place: (..., 2) on the floor, x to the right and y away from the camera.
        height: above the floor. The middle of an object of usual size by default; 0 is its foot.
    """
    place = _check.real("place", place).to(torch.float32)
    if place.ndim == 0 or place.shape[-1] != 2:
        raise ValueError(f"place must have shape (..., 2), got {tuple(place.shape)}")
    height = _check.number("height", height)
    points = torch.cat([place, torch.full_like(place[..., :1], height)], -1)
    column, row = _project(points, 2, Camera() if camera is None else camera)
    return torch.stack([column - 1.0, row - 1.0], -1)


def _slice(objects: Objects, start: int, stop: int) -> Objects:
    return Objects(*(getattr(objects, f)[start:stop] for f in objects.__dataclass_fields__))


def _render(objects: Objects, pixels: int, camera: Camera) -> Tensor:
    rays, floor, empty = _view(camera, pixels)
    n, k = objects.there.shape
    image = empty.expand(n, 3, -1) * torch.tensor([1.0, 0.985, 0.96], **CPU32)[:, None]
    if not k:
        return _pooled(image, pixels, camera)
    image = image.contiguous()
    window = _windows(objects, pixels, camera)  # (n, k, W): the subpixels that each may touch
    colour, cover, shadow = _cast(objects, rays, floor, window)
    for index in range(k):
        _blend(image, window[:, index], 0.0, _SHADE * shadow[:, index, None])
    # Far objects first: the eye stands at negative y, above.
    order = objects.place[..., 1].argsort(1, descending=True)
    rows = torch.arange(n, device="cpu")
    for rank in range(k):
        chosen = rows, order[:, rank]
        _blend(image, window[chosen], colour[chosen], cover[chosen][:, None])
    return _pooled(image, pixels, camera)


def _blend(image: Tensor, window: Tensor, colour, alpha: Tensor) -> None:
    """image (n, 3, P) becomes alpha colour + (1 - alpha) image at the subpixels window (n, W)."""
    index = window[:, None].expand(-1, 3, -1)
    image.scatter_(2, index, image.gather(2, index) * (1.0 - alpha) + alpha * colour)


def _windows(objects: Objects, pixels: int, camera: Camera) -> Tensor:
    """Indices (n, k, W) of a box of subpixels around each object and its shadow."""
    place, size = objects.place, objects.size
    corners = torch.tensor([[-1.3, -1.3], [-1.3, 1.3], [1.3, -1.3], [1.3, 1.3]], **CPU32)
    ground = place[:, :, None] + size[..., None, None] * corners
    height = 2.0 * size[..., None, None]
    top = torch.cat([ground, height.expand(*ground.shape[:3], 1)], -1)
    light = torch.tensor(_LIGHT, **CPU32)
    cast = (top[..., :2] - light[:2]) * light[2] / (light[2] - top[..., 2:])
    flat = torch.nn.functional.pad
    points = torch.cat([flat(ground, (0, 1)), top, flat(light[:2] + 1.04 * cast, (0, 1))], 2)
    column, row = _project(points, pixels * camera.samples, camera)
    first = torch.stack([row.amin(-1), column.amin(-1)], -1).floor().long() - 1
    last = torch.stack([row.amax(-1), column.amax(-1)], -1).ceil().long() + 1
    fine = pixels * camera.samples
    tall, wide = ((last - first).amax((0, 1)) + 1).clamp(max=fine).tolist()
    limit = fine - torch.tensor([tall, wide], device="cpu")
    first = torch.minimum(first.clamp(min=0), limit)
    rows = first[..., 0, None] + torch.arange(tall, device="cpu")
    columns = first[..., 1, None] + torch.arange(wide, device="cpu")
    return (rows[..., None] * fine + columns[:, :, None]).flatten(2)


def _project(points: Tensor, fine: int, camera: Camera) -> tuple[Tensor, Tensor]:
    """Subpixel column and row of points (..., 3)."""
    eye, forward, right, up = _frame(camera)
    offset = points - eye
    depth = offset @ forward
    scale = eye.norm() / camera.field * 0.5 * fine
    across, high = (offset @ right) / depth * scale, (offset @ up) / depth * scale
    return 0.5 * fine + across, 0.5 * fine - high


def _frame(camera: Camera) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    eye = torch.tensor([0.0, -camera.distance, camera.height], **CPU32)
    forward = -eye / eye.norm()
    right = torch.tensor([1.0, 0.0, 0.0], **CPU32)
    return eye, forward, right, torch.linalg.cross(right, forward)


def _pooled(image: Tensor, pixels: int, camera: Camera) -> Tensor:
    fine = pixels * camera.samples
    image = image.reshape(len(image), 3, fine, fine)
    return torch.nn.functional.avg_pool2d(image, camera.samples).clamp(0.0, 1.0)


def _cast(objects: Objects, rays: _Rays, floor: Tensor, window: Tensor):
    """Colour (n, k, 3, W), coverage (n, k, W) and floor shadow (n, k, W) of every object alone."""
    n, k, points = window.shape
    colour = torch.zeros(n * k, 3, points, **CPU32)
    cover, shadow = torch.zeros(n * k, points, **CPU32), torch.zeros(n * k, points, **CPU32)
    light = torch.tensor(_LIGHT, **CPU32)
    flat = {name: getattr(objects, name).flatten(0, 1) for name in objects.__dataclass_fields__}
    window = window.flatten(0, 1)
    for index, meet in enumerate((_sphere, _cube, _cylinder)):
        chosen = (flat["there"] & (flat["shape"] == index)).nonzero()[:, 0]
        if not len(chosen):
            continue
        body = _Body(*(flat[name][chosen] for name in ("place", "size", "turn")))
        way, ground = rays.direction[window[chosen]], floor[window[chosen]]
        depth, normal = meet(body, rays.origin, way)
        cover[chosen] = (depth < _FAR).float()
        point = rays.origin + depth.clamp(max=50.0)[..., None] * way
        metal = flat["material"][chosen].float()[:, None]
        colour[chosen] = _shade(point, normal, way, flat["colour"][chosen], metal, light)
        for across, along in _LIGHT_SAMPLES:
            lamp = light + _LIGHT_SPREAD * torch.tensor([across, along, 0.0], **CPU32)
            to_lamp = lamp - ground
            to_lamp = to_lamp / to_lamp.norm(dim=-1, keepdim=True)
            blocked = meet(body, ground, to_lamp, depth_only=True) < _FAR
            shadow[chosen] += blocked.float() / len(_LIGHT_SAMPLES)
    shape = (n, k, points)
    return colour.reshape(n, k, 3, points), cover.reshape(shape), shadow.reshape(shape)


def _shade(point, normal, way, colour, metal, light) -> Tensor:
    """Lambert and Blinn-Phong, and for metal a reflected sky: (m, 3, P)."""
    to_light = light - point
    to_light = to_light / to_light.norm(dim=-1, keepdim=True)
    diffuse = (normal * to_light).sum(-1).clamp(min=0.0)
    half = to_light - way
    half = half / half.norm(dim=-1, keepdim=True)
    gloss = (normal * half).sum(-1).clamp(min=0.0)
    mirrored = way - 2 * (way * normal).sum(-1, keepdim=True) * normal
    sky = (0.5 + 0.5 * mirrored[..., 2]).clamp(0.0, 1.0)
    rubber = _AMBIENT + 0.78 * diffuse
    shiny = 0.16 + 0.50 * diffuse + 0.42 * sky**2
    base = rubber * (1 - metal) + shiny * metal
    bright = 0.12 * gloss**18 * (1 - metal) + 0.85 * gloss**60 * metal
    return (colour[:, :, None] * base[:, None] + bright[:, None]).clamp(0.0, 1.0)


@dataclass(frozen=True)
class _Body:
    place: Tensor  # (m, 2)
    size: Tensor  # (m,)
    turn: Tensor  # (m,)


def _sphere(body: _Body, origin, direction, depth_only: bool = False):
    centre = torch.cat([body.place, body.size[:, None]], 1)[:, None]
    offset = origin - centre
    along = (offset * direction).sum(-1)
    inside = along**2 - offset.square().sum(-1) + (body.size**2)[:, None]
    depth = -along - inside.clamp(min=0.0).sqrt()
    depth = torch.where((inside > 0) & (depth > 1e-4), depth, _FAR)
    if depth_only:
        return depth
    normal = (origin + depth.clamp(max=50.0)[..., None] * direction - centre) / body.size[
        :, None, None
    ]
    return depth, normal


def _turned(body: _Body, origin, direction) -> tuple[Tensor, Tensor]:
    """Rays in a frame that stands with the object and turns with it: each (m, P, 3)."""
    cosine, sine = body.turn.cos()[:, None], body.turn.sin()[:, None]
    shift = torch.cat([body.place, torch.zeros_like(body.place[:, :1])], 1)[:, None]

    def turned(v):
        x, y, z = v.unbind(-1)
        return torch.stack([cosine * x + sine * y, cosine * y - sine * x, z], -1)

    return turned((origin - shift).expand_as(direction)), turned(direction)


def _cube(body: _Body, origin, direction, depth_only: bool = False):
    half = 0.86 * body.size[:, None, None]
    start, way = _turned(body, origin, direction)
    start = start - torch.tensor([0.0, 0.0, 1.0], **CPU32) * half
    way = torch.where(way.abs() < 1e-9, 1e-9, way)
    middle, reach = -start / way, half / way.abs()
    near, far = (middle - reach).amax(-1), (middle + reach).amin(-1)
    depth = torch.where((near < far) & (near > 1e-4), near, _FAR)
    if depth_only:
        return depth
    axis = (middle - reach).argmax(-1, keepdim=True)
    local = torch.zeros_like(way).scatter(-1, axis, -torch.sign(way.gather(-1, axis)))
    cosine, sine = body.turn.cos()[:, None], body.turn.sin()[:, None]
    x, y, z = local.unbind(-1)
    return depth, torch.stack([cosine * x - sine * y, sine * x + cosine * y, z], -1)


def _cylinder(body: _Body, origin, direction, depth_only: bool = False):
    radius, height = 0.9 * body.size[:, None], 1.8 * body.size[:, None]
    shift = torch.cat([body.place, torch.zeros_like(body.place[:, :1])], 1)[:, None]
    x, y, z = (origin - shift).expand_as(direction).unbind(-1)
    dx, dy, dz = direction.unbind(-1)
    flat = (dx * dx + dy * dy).clamp(min=1e-12)
    along = (x * dx + y * dy) / flat
    inside = along**2 - (x * x + y * y - radius**2) / flat
    wall = -along - inside.clamp(min=0.0).sqrt()
    level = z + wall * dz
    side = (inside > 0) & (wall > 1e-4) & (level > 0) & (level < height)
    lid = (height - z) / torch.where(dz.abs() < 1e-9, 1e-9, dz)
    on_lid = ((x + lid * dx) ** 2 + (y + lid * dy) ** 2 < radius**2) & (lid > 1e-4)
    side_depth, lid_depth = torch.where(side, wall, _FAR), torch.where(on_lid, lid, _FAR)
    depth = torch.minimum(side_depth, lid_depth)
    if depth_only:
        return depth
    outward = torch.stack([x + wall * dx, y + wall * dy, torch.zeros_like(wall)], -1)
    outward = outward / radius[..., None]
    top = torch.tensor([0.0, 0.0, 1.0], **CPU32).expand_as(outward)
    return depth, torch.where((lid_depth < side_depth)[..., None], top, outward)
