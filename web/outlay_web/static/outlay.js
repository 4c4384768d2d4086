// Outlay's pages work without this file; it adds tooltips, legend toggles, drag-to-zoom, sorting, copying, theme and live refresh.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const tip = document.getElementById("tip");
  const make = (tag, text) => { const made = document.createElement(tag); if (text !== undefined) made.textContent = text; return made; };

  // Tooltip: a column's row of the table twin, or the element's own title.
  const place = (event) => {
    tip.hidden = false;
    const box = tip.getBoundingClientRect(), gap = 14;
    const left = event.clientX + gap + box.width > innerWidth ? event.clientX - gap - box.width : event.clientX + gap;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + gap, innerHeight - box.height - 4))}px`;
  };
  const fromRow = (figure, index) => {
    const row = all(".twin tbody tr", figure)[index];
    if (!row) return false;
    const heads = all(".twin thead th", figure), table = make("table");
    tip.replaceChildren(make("b", row.cells[0].textContent.trim()), table);
    [...row.cells].slice(1).forEach((cell, i) => {
      const text = cell.textContent.trim();
      if (text === "–" || text === "$0.00") return;
      const line = table.insertRow(), key = line.insertCell(), swatch = cell.querySelector("svg");
      if (swatch) key.append(swatch.cloneNode(true), " ");
      key.append(heads[i + 1].textContent);
      const amount = line.insertCell();
      amount.textContent = text;
      amount.className = "n";
    });
    return true;
  };

  let drag = null;
  const dragged = (event) => {
    const box = drag.hits[0].getBoundingClientRect(), at = Math.floor((event.clientX - box.left) / box.width);
    return [drag.first, Math.max(0, Math.min(drag.hits.length - 1, at))].sort((x, y) => x - y);
  };
  addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [a, b] = dragged(event), hit = drag.hits[0];
    for (const [name, value] of [["x", drag.hits[a].getAttribute("x")], ["y", 0], ["height", hit.getAttribute("height")],
      ["width", `${(b - a + 1) * parseFloat(hit.getAttribute("width"))}%`]]) drag.brush.setAttribute(name, value);
  });
  addEventListener("pointerup", (event) => {
    if (!drag) return;
    const [a, b] = dragged(event), { links, brush } = drag;
    drag = null;
    brush.remove();
    if (a === b) { if (links[a]) location.href = links[a].href; return; }
    const next = new URL(location.href);
    for (const name of ["interval", "cursor"]) next.searchParams.delete(name);
    next.searchParams.set("start", new URL(links[a].href).searchParams.get("start"));
    next.searchParams.set("end", new URL(links[b].href).searchParams.get("end"));
    location.href = next;
  });
  addEventListener("pointercancel", () => { if (drag) { drag.brush.remove(); drag = null; } });

  const setUp = (from) => {
    for (const chart of all("svg.chart", from)) {
      const figure = chart.closest(".card"), hits = all(".hit", chart);
      for (const title of all("g > title, rect > title", chart)) { title.parentNode.dataset.tip = title.textContent; title.remove(); }
      const show = (event) => {
        const own = event.target.closest("[data-tip]"), index = hits.indexOf(event.target);
        hits.forEach((hit, i) => hit.classList.toggle("on", i === index && !drag));
        if (index >= 0 && fromRow(figure, index)) place(event);
        else if (own) { tip.replaceChildren(make("span", own.dataset.tip)); place(event); }
        else tip.hidden = true;
      };
      const hide = () => { tip.hidden = true; hits.forEach((hit) => hit.classList.remove("on")); };
      chart.addEventListener("pointermove", show);
      chart.addEventListener("pointerleave", hide);

      // Drag to zoom: from the first step's start to the last one's end. A click opens the step.
      if (Number(chart.dataset.zoom) > 1) chart.addEventListener("pointerdown", (event) => {
        if (event.button !== 0 || event.pointerType === "touch" || !event.target.classList.contains("hit")) return;
        event.preventDefault();
        const brush = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        brush.setAttribute("class", "brush");
        hits[0].before(brush);
        drag = { hits, brush, first: hits.indexOf(event.target), links: all(".twin tbody tr", figure).map((row) => row.querySelector("a")) };
      });

      // Legend: a swatch shows and hides its series; stacks close the gap.
      const restack = () => {
        const heights = new Map();
        for (const layer of all(".layer:not(.off)", chart)) for (const rect of all("rect", layer)) {
          const i = rect.dataset.i, base = heights.get(i) || 0, tall = parseFloat(rect.getAttribute("height"));
          rect.setAttribute("y", parseFloat(hits[0].getAttribute("height")) - base - tall);
          heights.set(i, base + tall);
        }
      };
      for (const item of all(".legend li", figure)) {
        const swatch = item.querySelector("svg"), name = item.dataset.key;
        const shapes = all("[data-s]", chart).filter((shape) => shape.dataset.s === name);
        if (!swatch || !shapes.length) continue;
        const button = make("button");
        button.type = "button";
        button.setAttribute("aria-pressed", "true");
        button.setAttribute("aria-label", `Show ${name}`);
        swatch.replaceWith(button);
        button.append(swatch);
        button.addEventListener("click", (event) => {
          const alone = event.altKey || event.shiftKey, others = all(".legend button", figure);
          if (alone) others.forEach((other) => other !== button && other.getAttribute("aria-pressed") === "true" && other.click());
          const on = alone || button.getAttribute("aria-pressed") !== "true";
          button.setAttribute("aria-pressed", String(on));
          shapes.forEach((shape) => shape.classList.toggle("off", !on));
          restack();
        });
      }
    }

    for (const table of all("table.sortable", from)) all("thead th", table).forEach((head, column) => {
      if (!head.textContent.trim() || head.querySelector("a")) return; // a link sorts on the server
      const button = make("button", head.textContent), numeric = head.classList.contains("n");
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : numeric;
        all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => {
          const cell = row.cells[column], text = cell.dataset.v ?? cell.querySelector("time")?.dateTime ?? cell.textContent.trim();
          return numeric ? (parseFloat(text.replace(/[^\d.e-]/gi, "")) || (/\d/.test(text) ? 0 : -Infinity)) : text.toLowerCase();
        };
        const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
        rows.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (down ? -1 : 1));
        table.tBodies[0].append(...rows.map((pair) => pair[1]));
      });
    });
    for (const form of all("form[data-auto]", from)) form.addEventListener("change", () => form.requestSubmit());
  };
  setUp(document);

  // A link to something inside what is folded opens it (browsers do so by themselves only on a new address).
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = target && target.closest("details");
    if (folded && !folded.open) { folded.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  addEventListener("click", (event) => { if (event.target.closest && event.target.closest("a[href^='#']")) setTimeout(unfold); });
  unfold();

  // One open menu at a time; Escape closes it.
  addEventListener("click", (event) => all("details.menu[open]").forEach((menu) => menu.contains(event.target) || (menu.open = false)));
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    tip.hidden = true;
    all("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
  });

  // On a phone the pages' names are a strip: begin where we are.
  const strip = document.querySelector(".side nav"), here = strip && strip.querySelector("[aria-current]");
  if (here && strip.scrollWidth > strip.clientWidth) strip.scrollLeft = here.offsetLeft - strip.offsetLeft - 60;

  const theme = document.querySelector("[data-theme-toggle]");
  if (theme) {
    theme.hidden = false;
    theme.addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      document.cookie = `outlay_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
    });
  }

  const copy = document.querySelector("[data-copy]");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(location.href);
      const label = copy.querySelector("span"), before = label.textContent;
      label.textContent = "Copied";
      setTimeout(() => { label.textContent = before; }, 1500);
    });
  }

  // The page's content again: every ten seconds when live, soon where something is still being computed; but not while
  // somebody is in the middle of something.
  const busy = "details[open], :focus, [aria-pressed=false], .sortable [aria-sort]:has(button)";
  // Says whether the answer was good, nothing where it did not ask.
  const refresh = async () => {
    const old = document.getElementById("fragment");
    if (document.hidden || drag || !tip.hidden || old.querySelector(busy)) return undefined;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer) return true; // the server may be starting again
    if (!answer.ok) return false;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("fragment");
    if (fresh) { old.replaceWith(document.importNode(fresh, true)); setUp(document.getElementById("fragment")); }
    return true;
  };
  const awaitAnswer = (waitMs) => setTimeout(async () => {
    if (!document.querySelector("[data-pending]")) return;
    const good = await refresh();
    if (good !== false) awaitAnswer(good ? Math.min(1.5 * waitMs, 30000) : waitMs);
  }, waitMs);
  awaitAnswer(2500);

  const live = document.querySelector("[data-live]");
  if (live) {
    live.hidden = false;
    const on = () => live.getAttribute("aria-pressed") === "true";
    const remember = (value) => { try { sessionStorage.setItem("outlay-live", value); } catch { /* private mode */ } };
    live.addEventListener("click", () => {
      live.setAttribute("aria-pressed", String(!on()));
      remember(on() ? "1" : "");
      if (on()) refresh();
    });
    try { if (sessionStorage.getItem("outlay-live")) live.setAttribute("aria-pressed", "true"); } catch { /* private mode */ }
    setInterval(() => { if (on()) refresh(); }, 10000);
  }
})();
