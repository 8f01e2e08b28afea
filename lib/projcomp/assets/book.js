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

  // On paper nothing can be opened: print the collapsed proofs, and collapse them again.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.sd-dropdown:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
})();
