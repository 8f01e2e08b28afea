// The figures' one module: what kind a figure is, its state says.
// anywidget calls render({ model, el }) in a notebook; the book's pages call it with a model shim.

import { Composition } from "./composition.mjs";
import { Explorer } from "./explorer.mjs";
import { Field, totalVariation } from "./field.mjs";
import { Lattice } from "./lattice.mjs";
import { Mixture } from "./mixture.mjs";
import { Bank, Clutter, PicturePath, SETTINGS, startOf } from "./pictures.mjs";
import { Weights, effectiveSize, initial, normalised, normals, sigmaGrid, step } from "./sampling.mjs";
import { Square } from "./square.mjs";
import { featureMixture, largestDifference, square, warpOf } from "./warp.mjs";

const KINDS = { explorer: Explorer, lattice: Lattice, square: Square };

/** The mathematics, for the tests that hold it against the library. */
const math = {
  Composition, Field, Mixture, Weights, effectiveSize, initial, normalised, normals, sigmaGrid, step,
  totalVariation,
  featureMixture, largestDifference, square, warpOf,
  Bank, Clutter, PicturePath, SETTINGS, startOf,
};

export default { render, math };

export function render({ model, el }) {
  const figure = new KINDS[model.get("kind")](model, el);
  return () => figure.destroy();
}
