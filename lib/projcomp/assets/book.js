// What the style sheet alone can't do.
(() => {
  "use strict";

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

  // Formulas after figures: typesetting holds up a page for half a second.
  const typeset = () => {
    for (const later of document.querySelectorAll("script[type='text/later']")) {
      const script = document.createElement("script");
      script.src = later.src;
      document.head.append(script);
    }
  };
  requestAnimationFrame(() => setTimeout(typeset));

  // On paper nothing can be opened, and all is white: print the collapsed proofs, in light colours,
  // and take both back afterwards. Some browsers tell of it by an event, some by the medium.
  const root = document.documentElement;
  let before = null;
  const onPaper = (printed) => {
    if (printed === (before !== null)) return;
    if (printed) {
      const opened = [...document.querySelectorAll("details.sd-dropdown:not([open])")];
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
