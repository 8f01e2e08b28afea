// The plane: shading, outlines, arrows, particles, and the shadows on its margins.

import { histogram } from "../maths/field.mjs";
import * as axes from "../shared/axes.mjs";
import * as draw from "../shared/draw.mjs";
import { onEllipse } from "../shared/handles.mjs";
import { FINE } from "./scene.mjs";

const OUTLINE = 96;
const TRACKS = 6;
const BINS = 40;

export class PlaneView {
  picks = true; // a click chooses the particle whose way is drawn

  frame(scene, width, height) {
    return new draw.Frame(scene.box, width, height);
  }

  position(part, k, role) {
    return onEllipse(part, k, role);
  }

  paint({ context, frame, scene, state, colours, path, chosen, margins }) {
    const { show, sigma } = state;
    const { composition } = scene;
    if (show.includes("interaction")) {
      const [minus, plus] = colours.concepts;
      draw.signed(context, frame, scene.field(56), scene.interactionField(), colours.paper, minus, plus);
    } else if (show.includes("composition") && scene.exists) {
      const masses = scene.masses("composed", composition, FINE);
      draw.heat(context, frame, scene.field(FINE), masses, colours.paper, colours.composed);
    }
    if (show.includes("parts")) this.paintParts(context, frame, scene, colours);
    if (show.includes("truth") && scene.hasTruth && scene.exists) {
      const { truth } = draw.DASHES;
      draw.outlines(context, frame, scene.field(OUTLINE), scene.truth(), colours.ink, truth, [0.5, 0.9], 2.2);
    }
    if (show.includes("score") && sigma > 0) {
      draw.arrows(context, frame, composition.at(sigma), sigma, colours.ink);
    }
    if (path && state.controls.includes("play")) this.paintTracks(context, frame, path, sigma, colours, chosen);
    if (path) draw.dots(context, frame, path.atSigma(sigma), colours.ink, path.sharesAt(sigma));
    axes.numbers(context, frame, colours);
    if (!scene.exists) axes.nothing(context, frame, colours);
    this.paintShadows(margins, scene, state, colours, path);
  }

  paintParts(context, frame, scene, colours) {
    const outline = (name, mixture, colour, dash) => {
      const masses = scene.masses(name, mixture, OUTLINE);
      draw.outlines(context, frame, scene.field(OUTLINE), masses, colour, dash);
    };
    const base = scene.base();
    if (base) outline("base", base, colours.background, draw.DASHES.background);
    scene.composition.concepts.forEach((p, i) =>
      outline(`concept ${i}`, p, colours.concepts[i], draw.DASHES.concepts[i]));
  }

  /** The ways of a few particles, where they can be watched. */
  paintTracks(context, frame, path, sigma, colours, chosen) {
    const below = path.levels.findIndex((level) => level < sigma);
    const kept = Math.min(below < 0 ? path.states.length - 1 : Math.max(0, below - 1), path.states.length - 1);
    const count = path.states[0].length / 2;
    for (let i = 0; i < Math.min(TRACKS, count); i++) {
      draw.track(context, frame, path.states, i, kept, colours.faint, 1);
    }
    draw.track(context, frame, path.states, chosen, kept, colours.concepts[0], 2);
  }

  paintShadows([top, side], scene, state, colours, path) {
    const [first, second] = state.directions;
    const rows = [
      [top, 0, first, true],
      [side, 1, second, false],
    ];
    for (const [canvas, index, direction, upright] of rows) {
      const shadow = state.show.includes("shadows") && direction ? scene.shadow(index, direction) : null;
      canvas.hidden = !shadow; // from a screen reader too; the room stays
      if (!shadow) continue;
      const surface = draw.prepare(canvas);
      const curves = [
        { values: shadow.own, colour: colours.composed, dash: [], fill: true },
        { values: shadow.wanted, colour: colours.concepts[index], dash: [7, 4] },
      ];
      const bars = path && this.sampleShadow(path, state.sigma, direction, shadow);
      draw.strip(surface, curves, upright, bars && { values: bars, colour: colours.ink });
    }
  }

  /** The samples' histogram along a direction, on the scale of the curves. */
  sampleShadow(path, sigma, direction, { own, range }) {
    const shares = histogram(path.atSigma(sigma), direction, range, BINS, path.sharesAt(sigma));
    return shares.map((share) => (share * BINS) / own.length);
  }
}
