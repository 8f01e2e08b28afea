// The figures' one module: what kind a figure is, its state says.
// anywidget calls render({ model, el }) in a notebook; the book's pages call it with a model shim.

import { Explorer } from "./explorer/explorer.mjs";
import { Lattice } from "./lattice/lattice.mjs";
import * as blocks from "./maths/blocks.mjs";
import * as composition from "./maths/composition.mjs";
import * as draws from "./maths/draws.mjs";
import * as examine from "./maths/examine.mjs";
import * as field from "./maths/field.mjs";
import * as fit from "./maths/fit.mjs";
import * as gaps from "./maths/gaps.mjs";
import * as mixture from "./maths/mixture.mjs";
import * as pace from "./maths/pace.mjs";
import * as pictures from "./maths/pictures.mjs";
import * as sampling from "./maths/sampling.mjs";
import * as seen from "./maths/seen.mjs";
import * as table from "./maths/table.mjs";
import * as warp from "./maths/warp.mjs";
import * as vocabulary from "./maths/vocabulary.mjs";
import { Prompt } from "./prompt/prompt.mjs";
import { Sandbox } from "./sandbox/sandbox.mjs";
import { Square } from "./square/square.mjs";
import { TextPrompt } from "./words/words.mjs";

const KINDS = { explorer: Explorer, lattice: Lattice, prompt: Prompt, sandbox: Sandbox, square: Square, words: TextPrompt };

/** The mathematics, for the tests that hold it against the library. */
const math = {
  ...blocks, ...composition, ...draws, ...examine, ...field, ...fit, ...gaps, ...mixture, ...pace, ...pictures,
  ...sampling, ...seen, ...table, ...vocabulary, ...warp,
};

export default { render, math };

export function render({ model, el }) {
  const figure = new KINDS[model.get("kind")](model, el);
  return () => figure.destroy();
}
