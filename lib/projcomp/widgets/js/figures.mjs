// The figures' one module: what kind a figure is, its state says.
// anywidget calls render({ model, el }) in a notebook; the book's pages call it with a model shim.

import { Composition } from "./maths/composition.mjs";
import { Explorer } from "./explorer/explorer.mjs";
import { Field, totalVariation } from "./maths/field.mjs";
import { Lattice } from "./lattice/lattice.mjs";
import { Mixture } from "./maths/mixture.mjs";
import { Bank, Clutter, PicturePath, SETTINGS, startOf } from "./maths/pictures.mjs";
import { Weights, effectiveSize, initial, normalised, normals, sigmaGrid, step } from "./maths/sampling.mjs";
import { Square } from "./square/square.mjs";
import { featureMixture, largestDifference, square, warpOf } from "./maths/warp.mjs";

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
