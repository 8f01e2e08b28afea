// Under every result of a search: what the page says around the words, and a link to that place.
// The text comes with searchtext.js, since a page that was opened from a file may fetch nothing.
(() => {
  "use strict";

  const AROUND = 120;
  const WORD = /[\p{L}\p{N}_]+/gu;
  const results = document.getElementById("search-results");
  const asked = new URLSearchParams(location.search).get("q")?.toLowerCase().match(WORD);
  if (!results || !asked) return;

  const stemmer = new Stemmer();
  const stems = new Map();
  const stem = (word) => {
    if (!stems.has(word)) stems.set(word, stemmer.stemWord(word));
    return stems.get(word);
  };
  const telling = asked.filter((word) => !stopwords.includes(word));
  const terms = telling.map((word) => ({ word, stem: stem(word) }));

  // 3: the term; 2: a form of it; 1: a word that holds it.
  const fit = (word, term) => {
    if (word === term.word) return 3;
    if (stem(word) === term.stem) return 2;
    return term.word.length > 2 && word.includes(term.word) ? 1 : 0;
  };

  // How well a text fits the terms, and where the words stand that do.
  const look = (text) => {
    const best = terms.map(() => 0);
    const hits = [];
    for (const { 0: found, index } of text.matchAll(WORD)) {
      const fits = terms.map((term) => fit(found.toLowerCase(), term));
      fits.forEach((value, i) => { best[i] = Math.max(best[i], value); });
      const value = Math.max(0, ...fits);
      if (value) hits.push({ start: index, end: index + found.length, value });
    }
    return { text, hits, score: best.reduce((sum, value) => sum + value, 0) };
  };

  const excerpt = ({ text, hits }, heading) => {
    const top = Math.max(...hits.map((hit) => hit.value));
    const at = hits.find((hit) => hit.value === top)?.start ?? 0;
    const start = at > AROUND ? text.indexOf(" ", at - AROUND) + 1 : 0;
    const stop = text.lastIndexOf(" ", at + AROUND);
    const end = at + AROUND < text.length && stop > at ? stop : text.length;
    const shown = document.createElement("p");
    shown.className = "context";
    shown.append(start > 0 && heading ? `${heading}: … ` : start > 0 ? "… " : "");
    let from = start;
    for (const hit of hits.filter((h) => h.start >= start && h.end <= end)) {
      const mark = document.createElement("mark");
      mark.textContent = text.slice(hit.start, hit.end);
      shown.append(text.slice(from, hit.start), mark);
      from = hit.end;
    }
    shown.append(text.slice(from, end), end < text.length ? " …" : "");
    return shown;
  };

  const explain = (item) => {
    const link = item.querySelector("a");
    const [file, anchor] = link.getAttribute("href").split("#");
    const all = window.bookText[file.replace(/\.html$/, "")] ?? [];
    const named = all.filter(([id]) => id === anchor);
    const sections = named.length ? named : all;
    const prose = sections.map(([id, heading, text]) => [id, heading, `${heading}. ${text}`]);
    const code = sections.map(([id, heading, , text]) => [id, heading, text]);
    let best = null;
    for (const [id, heading, text] of [...prose, ...code]) {
      const found = look(text);
      if (found.score > (best?.found.score ?? 0)) best = { id, heading, found };
    }
    if (!best) return;
    item.append(excerpt(best.found, best.heading === link.textContent ? "" : best.heading));
    if (!anchor) link.setAttribute("href", `${file}#${best.id}`);
  };

  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) if (node.nodeName === "LI") explain(node);
    }
  }).observe(results, { childList: true, subtree: true });
})();
