// Mounts the book's figures on a page with no kernel: the still picture gives way to the figure
// when it comes near the view. A classic script, so that it also runs from a file. PROJCOMP_WIDGET
// holds the very module and style sheet that a notebook runs.
(() => {
  let widget = null;
  const script = document.currentScript.src;
  const asked = new Map(); // files that are fetched once they are asked for, by the name of their script
  const waiting = new Map();

  /** Files by name, as the scripts beside this one hold them: base64 of what gzip has made small. */
  function files(name) {
    if (!asked.has(name)) {
      asked.set(name, new Promise((done, fail) => {
        waiting.set(name, done);
        const node = document.createElement("script");
        node.src = new URL(`figures/${name}.js`, script);
        node.onload = () => node.remove();
        node.onerror = () => {
          asked.delete(name);
          node.remove();
          fail(new Error(`there is no ${name} with this page`));
        };
        document.head.append(node);
      }));
    }
    return asked.get(name);
  }

  PROJCOMP_WIDGET.arrived = (name, texts) => {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    waiting.get(name)?.(Object.fromEntries(Object.entries(texts).map(([file, text]) => [file, bytes(text)])));
  };

  function load() {
    if (widget) return widget;
    const style = document.createElement("style");
    style.textContent = PROJCOMP_WIDGET.css;
    document.head.append(style);
    widget = PROJCOMP_WIDGET.start();
    return widget;
  }

  /** What a notebook's model does, without a kernel. */
  function modelOf(state) {
    const listeners = new Map();
    return {
      get: (key) => state[key],
      set(key, value) {
        state[key] = value;
        for (const listener of [...(listeners.get(`change:${key}`) ?? [])]) listener();
      },
      on(event, listener) {
        listeners.set(event, [...(listeners.get(event) ?? []), listener]);
      },
      off(event, listener) {
        listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== listener));
      },
      save_changes() {},
      files,
    };
  }

  function mount(figure) {
    if (figure.dataset.live) return;
    const still = figure.querySelector(".pc-still");
    const place = document.createElement("div");
    try {
      const { render } = load();
      const model = modelOf(JSON.parse(figure.querySelector("script").textContent));
      figure.append(place);
      figure.pcDestroy = render({ model, el: place });
      figure.pcModel = model;
      still.hidden = true;
      figure.dataset.live = "yes";
    } catch (error) {
      place.remove();
      still.hidden = false;
      const notice = document.createElement("p");
      notice.className = "pc-failed";
      notice.textContent = `The live figure could not start (${error.message}). This is its still picture. `;
      const again = document.createElement("button");
      again.type = "button";
      again.textContent = "Try again";
      again.onclick = () => {
        notice.remove();
        mount(figure);
      };
      notice.append(again);
      figure.append(notice);
    }
  }

  const nameOf = (figure) => JSON.parse(figure.querySelector("script").textContent).name;

  /** The figure that the address names, if any: "#pc-name=..." or "#pc-name?...". */
  function named(figures) {
    const name = location.hash.match(/^#pc-([\w-]+)[=?]/)?.[1];
    return name && figures.find((figure) => nameOf(figure) === name);
  }

  /** Scroll to a figure, and again while the page grows around it, until the reader does something. */
  function bring(figure) {
    mount(figure);
    const growing = new ResizeObserver(() => figure.scrollIntoView());
    growing.observe(document.body);
    for (const deed of ["wheel", "touchstart", "pointerdown", "keydown"]) {
      addEventListener(deed, () => growing.disconnect(), { once: true, passive: true });
    }
  }

  function start() {
    const near = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          near.unobserve(target);
          mount(target);
        }
      },
      { rootMargin: "400px" },
    );
    const figures = [...document.querySelectorAll(".pc-figure")];
    const first = named(figures);
    if (first) bring(first);
    addEventListener("hashchange", () => {
      const figure = named(figures);
      if (!figure) return;
      mount(figure);
      figure.scrollIntoView({ block: "nearest" }); // a link beside its figure moves nothing
    });
    for (const figure of figures) {
      // The first ones at once: an observer waits for a frame.
      if (figure.getBoundingClientRect().top < window.innerHeight) mount(figure);
      else near.observe(figure);
    }
  }

  // As soon as the page is parsed, but in a task of its own: other scripts start then, too.
  if (document.readyState !== "loading") start();
  else document.addEventListener("readystatechange", () => setTimeout(start), { once: true });
})();
