// What the style sheet alone can't do.
(() => {
  "use strict";

  // What an address names may have moved to another page, or into something else.
  const named = () => {
    try {
      return decodeURIComponent(location.hash.slice(1));
    } catch { // a broken address
      return "";
    }
  };
  const here = (name) => !name || name.includes("?") || document.getElementById(name);
  const follow = () => {
    const name = named();
    if (here(name)) return;
    const root = document.documentElement.dataset.content_root;
    const go = () => {
      const place = Object.hasOwn(bookPlaces, name) && bookPlaces[name];
      if (place) location.replace(root + (place.includes("#") ? place : `${place}#${name}`));
    };
    if (window.bookPlaces) return go();
    const script = document.createElement("script");
    script.onload = go;
    script.src = `${root}_static/places.js`;
    document.head.append(script);
  };

  // A link to a check, or to what is folded, opens the folds around it.
  const open = () => {
    let fold = document.getElementById(named())?.closest("details");
    for (; fold; fold = fold.parentElement.closest("details")) fold.open = true;
  };
  const arrive = () => {
    follow();
    open();
  };
  addEventListener("hashchange", arrive);
  arrive();

  // A box that scrolls sideways must be reachable from the keyboard.
  const boxes =
    "div.math mjx-container, span.math, .pst-scrollable-table-container, .cell_output, pre";
  const makeReachable = () => {
    for (const box of document.querySelectorAll(boxes)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  const article = document.querySelector(".bd-article");
  if (article) new ResizeObserver(makeReachable).observe(article);

  // Formulas after figures, the nearest to the reader first, and a few at a time: all at once they
  // would hold up a page for seconds.
  const SLICE = 50; // ms
  const MOST = 32; // formulas
  const pause = () => new Promise((done) => setTimeout(done));
  let waiting = [];

  const typesetRest = async () => {
    let count = 4;
    while (waiting.length) {
      await pause();
      const start = performance.now();
      MathJax.typeset(waiting.splice(0, count));
      const took = performance.now() - start;
      count = Math.ceil(Math.min(2 * count, MOST, Math.max(1, (count * SLICE) / took)));
    }
  };

  const loadFormulas = () => {
    const later = document.querySelector("script[type='text/later']");
    if (!later) return;
    const distance = ({ top, bottom }) => Math.max(top - innerHeight, -bottom);
    waiting = [...document.querySelectorAll(".math")]
      .map((formula) => [distance(formula.getBoundingClientRect()), formula])
      .sort(([a], [b]) => a - b)
      .map(([, formula]) => formula);
    MathJax.startup = {
      typeset: false,
      pageReady: () => MathJax.startup.defaultPageReady().then(typesetRest),
    };
    const script = document.createElement("script");
    script.src = later.src;
    document.head.append(script);
  };
  requestAnimationFrame(() => setTimeout(loadFormulas));
  addEventListener("beforeprint", () => { // paper waits for nothing
    if (window.MathJax?.typeset) MathJax.typeset(waiting.splice(0));
    for (const picture of document.querySelectorAll("img[loading=lazy]")) picture.loading = "eager";
  });

  // On paper nothing can be opened, and all is white: print the collapsed proofs, in light colours,
  // and take both back afterwards. Some browsers tell of it by an event, some by the medium.
  const root = document.documentElement;
  let before = null;
  const onPaper = (printed) => {
    if (printed === (before !== null)) return;
    if (printed) {
      const opened = [...document.querySelectorAll("details:is(.sd-dropdown, .pc-check):not([open])")];
      before = { opened, theme: root.dataset.theme };
      root.dataset.theme = "light";
    } else {
      root.dataset.theme = before.theme;
    }
    for (const details of before.opened) details.open = printed;
    if (!printed) before = null;
  };
  addEventListener("beforeprint", () => onPaper(true));
  addEventListener("afterprint", () => onPaper(false));
  matchMedia("print").addEventListener("change", ({ matches }) => onPaper(matches));
})();
