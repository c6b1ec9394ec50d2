/* Keeps the link in step with the controls, and the colours with the theme. Sends nothing anywhere. */
window.dash_clientside = window.dash_clientside || {};
(() => {
  const noUpdate = () => window.dash_clientside.no_update;
  let written = false; // whether this page has put its own state into the link
  let last = { at: 0, changed: "" };

  const nameOf = (before, after) => {
    const [a, b] = [new URLSearchParams(before), new URLSearchParams(after)];
    const keys = new Set([...a.keys(), ...b.keys()]);
    return [...keys].filter((key) => String(a.getAll(key)) !== String(b.getAll(key))).join();
  };

  window.dash_clientside.costmodel = {
    /* The first state of a page takes the place of its link; every later one is a step that Back undoes. What is changed
       again within a second, such as a number while it is typed, is one step. */
    write(...values) {
      const meta = values.pop();
      const query = new URLSearchParams();
      meta.keys.forEach((key, i) => {
        const value = values[i];
        const standard = meta.defaults[key];
        if (Array.isArray(standard)) {
          const chosen = value || [];
          if (String(chosen) !== String(standard)) (chosen.length ? chosen : [""]).forEach((v) => query.append(key, v));
        }
        else if (value !== null && value !== undefined && value !== standard && value !== "") query.append(key, value);
      });
      const text = query.toString();
      const now = new URLSearchParams(window.location.search).toString();
      if (text === now && written) return text;
      const changed = nameOf(now, text);
      const again = changed === last.changed && Date.now() - last.at < 1000;
      const url = window.location.pathname + (text ? "?" + text : "");
      if (!written || again) window.history.replaceState(window.history.state, "", url);
      else window.history.pushState(window.history.state, "", url);
      [written, last] = [true, { at: Date.now(), changed }];
      return text;
    },
    /* Whether figures are too narrow for names in them. */
    narrow: () => window.innerWidth <= 600,
    paint(theme) {
      const shell = document.getElementById("shell");
      if (shell) shell.dataset.theme = theme;
      document.documentElement.dataset.theme = theme;
      return theme;
    },
    copy() {
      const done = navigator.clipboard && navigator.clipboard.writeText(window.location.href);
      return done ? "copied" : window.location.href;
    },
    /* Keys of the points that were dragged over; none after a double click. */
    select(selected, _clear, now) {
      const by = window.dash_clientside.callback_context.triggered.map((t) => t.prop_id).join();
      if (by.startsWith("x-clear")) return [];
      if (!selected) return now && now.length ? [] : noUpdate();
      return [...new Set((selected.points || []).map((p) => p.customdata).filter((k) => typeof k === "string"))];
    },
    /* What was dragged along the axes of parallel coordinates: a text "metric|low,high|low,high" for each axis, in units
       of the data, a little wider than what was drawn so that rounding loses no member. */
    ranges(restyle, _free, figure, now) {
      const by = window.dash_clientside.callback_context.triggered.map((t) => t.prop_id).join();
      if (by.startsWith("s-free")) {
        const drawn = document.querySelector("#s-parallel .js-plotly-plot");
        const none = ((drawn && drawn.data && drawn.data[0]) || {}).dimensions || [];
        if (none.length) {
          const free = Object.fromEntries(none.map((_, i) => [`dimensions[${i}].constraintrange`, null]));
          window.Plotly.restyle(drawn, free, [0]);
        }
        return [];
      }
      const found = new Map((now || []).map((text) => [text.split("|")[0], text]));
      const axes = (figure && figure.data && figure.data[0] && figure.data[0].dimensions) || [];
      Object.entries((restyle && restyle[0]) || {}).forEach(([key, value]) => {
        const match = /^dimensions\[(\d+)\]\.constraintrange$/.exec(key);
        if (!match || !axes[match[1]]) return;
        const [name, scale] = (axes[match[1]].name || "").split("|");
        const spans = value && value[0] ? (Array.isArray(value[0][0]) ? value[0] : [value[0]]) : [];
        const data = (v) => (scale === "log" ? 10 ** v : v);
        const written = (v, side) => Number((v + side * 1e-6 * Math.abs(v)).toPrecision(7));
        const span = (a, b) => `${written(data(Math.min(a, b)), -1)},${written(data(Math.max(a, b)), 1)}`;
        if (spans.length) found.set(name, [name, ...spans.map(([a, b]) => span(a, b))].join("|"));
        else found.delete(name);
      });
      const texts = [...found.values()];
      return String(texts) === String(now || []) ? noUpdate() : texts;
    },
    /* The members that are within what was dragged or written stand out of the fronts in the figure. */
    highlight(rows, _figure, ranges, where) {
      const figure = document.querySelector("#s-cloud .js-plotly-plot");
      if (!figure || !figure.data || !window.Plotly) return noUpdate();
      const dragged = (ranges && ranges.length) || (where && where.trim());
      const refs = new Set((rows || []).map((row) => row.ref));
      const fronts = figure.data.map((t, i) => [t, i]).filter(([t]) => t.customdata && t.customdata.length);
      const marked = fronts.some(([t]) => t.selectedpoints);
      if (!fronts.length || (!dragged && !marked)) return noUpdate();
      const chosen = fronts.map(([t]) =>
        dragged ? [...t.customdata.keys()].filter((i) => refs.has(t.customdata[i])) : null);
      window.Plotly.restyle(figure, { selectedpoints: chosen }, fronts.map(([, i]) => i));
      return refs.size;
    },
    /* The box that was drawn in a figure, or that around the members in a lasso, with the axes for which it holds. A
       figure that is made with its box tells of it without its sides. */
    boxed(selected, _clear, x, y, xScale, yScale, now) {
      const by = window.dash_clientside.callback_context.triggered.map((t) => t.prop_id).join();
      if (by.startsWith("s-clear")) {
        const figure = document.querySelector("#s-cloud .js-plotly-plot");
        if (figure && figure.layout) window.Plotly.relayout(figure, { selections: [] });
        return "";
      }
      if (!selected) return now ? "" : noUpdate();
      const lasso = selected.lassoPoints ? selected.points || [] : [];
      const side = (name) => {
        const of = (selected.range && selected.range[name]) || lasso.map((p) => p[name]);
        const known = of.filter(Number.isFinite);
        return known.length ? [Math.min(...known), Math.max(...known)] : [];
      };
      const ends = [...side("x"), ...side("y")];
      if (ends.length !== 4) return noUpdate();
      return [x, y, xScale, yScale, ends.map((v) => Number(v.toPrecision(7))).join()].join("|");
    },
    /* What a figure is zoomed to, with the axes for which it holds. */
    zoom(relayout, x, y, xScale, yScale, now) {
      if (!relayout) return noUpdate();
      if ("xaxis.autorange" in relayout || "yaxis.autorange" in relayout) return now ? "" : noUpdate();
      const head = [x, y, xScale, yScale].join("|") + "|";
      const ends = ["xaxis.range[0]", "xaxis.range[1]", "yaxis.range[0]", "yaxis.range[1]"].map((k) => relayout[k]);
      if (!ends.every(Number.isFinite)) return noUpdate();
      return head + ends.map((v) => Number(v.toPrecision(6))).join();
    },
  };

  /* Back and forward: the page is built anew from the link, as when it was opened. */
  let steps = 0;
  window.addEventListener("popstate", () => {
    [written, steps] = [false, steps + 1];
    window.dash_clientside.set_props("went", { data: { search: window.location.search, step: steps } });
  });
})();

/* The first screen, which is plain HTML, makes way once the live one is drawn, shows another page or says something. */
const drawn = ["#trade-off .scatterlayer .trace", "#trade-off .gl-canvas", "#trade-off .annotation", ".notice p"].join();
const ready = () => document.querySelector(drawn) ||
  (document.querySelector("#shell") && !document.querySelector("#tab-explorer[aria-selected=true]"));
const wait = new MutationObserver(() => {
  const first = document.getElementById("first");
  if (first && !ready()) return;
  if (first) requestAnimationFrame(() => requestAnimationFrame(() => first.remove()));
  if (first || document.querySelector("#shell")) wait.disconnect();
});
wait.observe(document.documentElement, { childList: true, subtree: true, attributes: true });

/* The component for uploads takes no file that is too large, and says nothing: this does. Any other file is sent, and the
   answer says what is wrong with it. */
const sizes = (event) => {
  const inside = event.target.closest && event.target.closest("#upload");
  const files = event.type === "drop" ? event.dataTransfer && event.dataTransfer.files : event.target.files;
  const limit = 256 * 1024; // as costmodel.dashboard.upload.MAX_BYTES
  if (!inside || !files || !files.length || files[0].size <= limit) return;
  const size = (files[0].size / 1024).toLocaleString("en", { maximumFractionDigits: 0 });
  const said = `${files[0].name} has ${size} KiB, and a target file at most ${limit / 1024} KiB: nothing was loaded.`;
  window.dash_clientside.set_props("upload-said", { children: said });
};
["change", "drop"].forEach((name) => document.addEventListener(name, sizes, true));

/* The component for uploads hides an input without a name; readers need one. */
new MutationObserver(() => {
  const input = document.querySelector("#upload input[type=file]");
  if (input && !input.hasAttribute("aria-label")) input.setAttribute("aria-label", "target file (YAML)");
}).observe(document.documentElement, { childList: true, subtree: true });
