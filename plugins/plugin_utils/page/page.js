
(() => {
  "use strict";
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const NO_DATA = "no data";
  // A table only slightly longer than its limit is shown in full.
  const ROWS_MORE = 5;
  // Fewer rows than this are found by looking.
  const ROWS_FILTERED = 10;
  // With more rows than this at once, a browser takes seconds for whatever it does.
  const ROWS_AT_ONCE = 500;
  const inOrder = new Intl.Collator("en", { numeric: true });

  // --- figures as text ----------------------------------------------------------------------------------------------

  const fixed = (value, digits) => value.toLocaleString("en-US", { maximumFractionDigits: digits });
  const bytes = (value) => {
    const names = ["B", "KiB", "MiB", "GiB", "TiB"];
    const power = value >= 1 ? Math.min(Math.floor(Math.log(value) / Math.log(1024)), names.length - 1) : 0;
    return `${fixed(value / 1024 ** power, 1)} ${names[power]}`;
  };
  const seconds = (value) => (value < 120 ? `${fixed(value, value < 10 ? 1 : 0)} s` : `${fixed(value / 60, value < 600 ? 1 : 0)} min`);
  const milliseconds = (value) => (value < 1000 ? `${fixed(value, value < 10 ? 1 : 0)} ms` : `${fixed(value / 1000, 2)} s`);
  const UNITS = { ms: milliseconds, seconds, bytes, share: (value) => `${fixed(value * 100, 0)} %`, percent: (value) => `${fixed(value, 1)} %` };
  const figure = (unit, value) => (value == null ? NO_DATA : (UNITS[unit] || ((v) => fixed(v, v < 10 ? 2 : v < 100 ? 1 : 0)))(value));
  const clock = (value) => {
    const whole = Math.floor(value);
    const two = (n) => String(n).padStart(2, "0");
    const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
  };

  // The axis is time unless the page says otherwise, and then few values are far apart: each gets a point.
  const inTime = data.along !== "number";
  const along = (value) => (inTime ? clock(value) : fixed(value, 2));

  // --- tables -------------------------------------------------------------------------------------------------------

  // Rows that a filter leaves out have the class "out"; of all others, as many are shown as the table begins with.
  const kept = (table, body = table.tBodies[0]) => [...body.rows].filter((row) => !row.classList.contains("out"));
  const isLong = (table, amount) => amount > Number(table.dataset.shown) + ROWS_MORE;

  // What a cell says, without the symbol that stands for its colour.
  const wordsOf = (cell) => [...cell.childNodes].filter((one) => one.className !== "symbol").map((one) => one.textContent).join("").trim();

  const clip = (table, body) => {
    const rows = kept(table, body);
    const limit = table.dataset.all === "yes" || !isLong(table, rows.length) ? Infinity : Number(table.dataset.limit || table.dataset.shown);
    rows.forEach((row, index) => { row.hidden = index >= limit; });
  };

  const sortBy = (table, index) => {
    const headers = [...table.tHead.rows[0].cells];
    const header = headers[index];
    // Numbers sort with the largest first.
    const first = header.classList.contains("n") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = header.getAttribute("aria-sort") === first ? other : first;
    headers.forEach((one) => one.setAttribute("aria-sort", "none"));
    header.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const key = (row) => {
      const cell = row.cells[index];
      if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
      const words = wordsOf(cell);
      return words === NO_DATA ? null : words;
    };
    const compare = (a, b) => (typeof a === "number" && typeof b === "number"
      ? a - b : inOrder.compare(String(a), String(b)));
    const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)));
    // Outside of the page, where moving a row does not make the browser look at all others again.
    const body = table.tBodies[0];
    body.remove();
    body.append(...rows.map(([, row]) => row));
    clip(table, body);
    table.append(body);
  };

  const prepareTable = (table) => {
    [...table.tHead.rows[0].cells].forEach((header, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent;
      button.addEventListener("click", () => sortBy(table, index));
      header.replaceChildren(button);
      header.setAttribute("aria-sort", "none");
    });
    clip(table);
    table.dataset.ready = "yes";
    const amount = table.tBodies[0].rows.length;
    const filtered = Boolean(table.dataset.choices) && amount > ROWS_FILTERED;
    if (!isLong(table, amount) && !filtered) return;
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    const label = () => {
      const all = table.dataset.all === "yes";
      const amount = kept(table).length;
      const next = `Show ${fixed(ROWS_AT_ONCE, 0)} more of ${fixed(amount, 0)} rows`;
      more.hidden = !isLong(table, amount);
      more.textContent = all ? `Show the first ${table.dataset.shown}` : isHuge(amount) ? next : `Show all ${fixed(amount, 0)} rows`;
      more.setAttribute("aria-expanded", String(all || Boolean(table.dataset.limit)));
    };
    const isHuge = (amount) => amount > Number(table.dataset.limit || table.dataset.shown) + ROWS_AT_ONCE;
    more.addEventListener("click", () => {
      const all = table.dataset.all === "yes";
      const huge = !all && isHuge(kept(table).length);
      if (huge) table.dataset.limit = Number(table.dataset.limit || table.dataset.shown) + ROWS_AT_ONCE; else delete table.dataset.limit;
      table.dataset.all = all || huge ? "no" : "yes";
      clip(table);
      label();
    });
    label();
    table.closest(".scroll").after(more);
    if (filtered) prepareFilter(table, label);
  };

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  // Above a long table: a box whose words must all be in a row, and a choice for each column that has few values.
  const prepareFilter = (table, filtered) => {
    const rows = [...table.tBodies[0].rows];
    const title = table.closest(".scroll").getAttribute("aria-label");
    const names = [...table.tHead.rows[0].cells].map((header) => header.textContent);
    // Texts of the chosen columns at once, of whole rows when somebody searches.
    const texts = new Map();
    const textOf = (row) => {
      if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
      return texts.get(row);
    };
    const search = element("input", { type: "search", autocomplete: "off", spellcheck: false });
    const said = element("output", { className: "faint" });
    const choices = table.dataset.choices.split(",").map((name) => names.indexOf(name)).filter((index) => index >= 0).map((index) => {
      const values = new Map(rows.map((row) => [row, wordsOf(row.cells[index])]));
      const counts = new Map();
      values.forEach((value) => counts.set(value, (counts.get(value) || 0) + 1));
      const sorted = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || inOrder.compare(a, b));
      const select = element("select", {}, element("option", { value: "" }, "all"));
      sorted.forEach((value) => select.append(element("option", { value: `=${value}` }, `${value || "none"} (${fixed(counts.get(value), 0)})`)));
      return { index, select, values };
    });
    const say = (left) => { said.textContent = left === rows.length ? `${fixed(left, 0)} rows` : `${fixed(left, 0)} of ${fixed(rows.length, 0)} rows`; };
    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = choices.filter(({ select }) => select.value);
      let left = 0;
      rows.forEach((row) => {
        const fits = wanted.every(({ select, values }) => `=${values.get(row)}` === select.value) && words.every((word) => textOf(row).includes(word));
        row.classList.toggle("out", !fits);
        left += fits;
      });
      say(left);
      clip(table);
      filtered();
    };
    let timer = 0;
    search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 150); });
    const labels = choices.map(({ index, select }) => { select.addEventListener("change", apply); return element("label", {}, `${names[index]} `, select); });
    const bar = element("div", { className: "filter" }, element("label", {}, "Find ", search), ...labels, said);
    bar.setAttribute("role", "search");
    bar.setAttribute("aria-label", `${title}: filter`);
    table.closest(".scroll").before(bar);
    say(rows.length);
  };

  // A box without a scrollbar is not a tab stop.
  const scrolls = new ResizeObserver((entries) => entries.forEach(({ target }) => {
    target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
  }));

  document.querySelectorAll(".scroll").forEach((box) => { prepareTable(box.querySelector("table")); scrolls.observe(box); });

  // --- plots --------------------------------------------------------------------------------------------------------

  const NAMED = {
    failed: "red", retried: "orange", requests: "blue", pending: "orange", running: "blue", succeeded: "green",
    p50: "blue", p99: "purple", "rejected so far": "red", before: "blue", after: "orange",
  };
  const COLOURS = ["blue", "orange", "green", "purple", "teal", "pink", "red", "grey"];
  const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [12, 4], [4, 4], [1, 3], [9, 3, 2, 3, 2, 3]];
  const MARKS = { failure: "red", pressure: "orange", restart: "purple", safe: "green" };
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  const POWERS_OF_TWO = Array.from({ length: 44 }, (_one, power) => 2 ** power);
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };

  let palette = {};
  let zoom = null;
  let plots = [];
  let printing = null;
  const whole = [data.begin || 0, data.end];
  const allTime = document.getElementById("zoom-out");

  // A value between two missing ones has no line, so it gets a point.
  const lonely = (u, index) => {
    const values = u.data[index];
    return values.reduce((found, value, i) => {
      if (value != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
      return found;
    }, []);
  };

  const label = (context, text, x, y, stroke, align) => {
    context.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    context.fillStyle = stroke;
    context.textAlign = align;
    context.fillText(text, x, y);
  };

  const line = (context, from, to, stroke, dash) => {
    context.strokeStyle = stroke;
    context.lineWidth = devicePixelRatio;
    context.setLineDash(dash.map((one) => one * devicePixelRatio));
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    context.setLineDash([]);
  };

  // Neighbours closer than `gap` pixels share a label, but each has its own line.
  const grouped = (u, times, gap) => {
    const groups = [];
    times.forEach((time, index) => {
      const x = u.valToPos(time, "x", true);
      if (x < u.bbox.left - 1 || x > u.bbox.left + u.bbox.width + 1) return;
      const last = groups[groups.length - 1];
      if (last && x - last.xs[last.xs.length - 1] < gap * devicePixelRatio) { last.xs.push(x); last.indexes.push(index); } else groups.push({ xs: [x], indexes: [index] });
    });
    return groups;
  };

  const annotate = (spec) => (u) => {
    const { ctx: context, bbox } = u;
    const [left, top, right, bottom] = [bbox.left, bbox.top, bbox.left + bbox.width, bbox.top + bbox.height];
    const px = devicePixelRatio;
    context.save();
    grouped(u, data.phases.map((one) => one.start), 90).forEach(({ xs, indexes }) => {
      xs.forEach((x) => line(context, [x, top], [x, bottom], palette.faint, [2, 4]));
      const text = data.phases[indexes[0]].role + (indexes.length > 1 ? ` +${indexes.length - 1}` : "");
      const flip = xs[0] + context.measureText(text).width * 1.2 + 8 * px > right;
      label(context, text, xs[0] + (flip ? -4 : 4) * px, top - 4 * px, palette.faint, flip ? "right" : "left");
    });
    grouped(u, data.marks.map((one) => one.t), 24).forEach(({ xs, indexes }) => {
      const stroke = palette[MARKS[data.marks[indexes[0]].kind] || "grey"];
      context.globalAlpha = 0.55;
      xs.forEach((x, i) => line(context, [x, top], [x, bottom], palette[MARKS[data.marks[indexes[i]].kind] || "grey"], []));
      context.globalAlpha = 1;
      const named = indexes.map((i) => data.marks[i].label).filter(Boolean).join(", ");
      const text = named || (indexes.length > 1 ? `${indexes[0] + 1}–${indexes[indexes.length - 1] + 1}` : String(indexes[0] + 1));
      context.font = `${11 * px}px system-ui, sans-serif`;
      const width = context.measureText(text).width + 8 * px;
      const x = Math.min(Math.max(xs[0], left + width / 2), right - width / 2);
      context.fillStyle = stroke;
      context.fillRect(x - width / 2, top, width, 15 * px);
      label(context, text, x, top + 11.5 * px, palette.card, "center");
    });
    spec.limits.forEach((limit) => {
      const y = u.valToPos(limit.value, "y", true);
      if (y < top - 1 || y > bottom) return;
      line(context, [left, y], [right, y], palette.red, [8, 4]);
      const text = `${limit.name}: ${figure(spec.unit, limit.value)}`;
      context.font = `${11 * px}px system-ui, sans-serif`;
      const width = context.measureText(text).width;
      context.globalAlpha = 0.8;
      context.fillStyle = palette.card;
      context.fillRect(right - width - 7 * px, y + 2 * px, width + 6 * px, 15 * px);
      context.globalAlpha = 1;
      label(context, text, right - 4 * px, y + 13 * px, palette.red, "right");
    });
    context.restore();
  };

  const range = (spec) => (u, low, high) => {
    const top = Math.max(high || 0, ...spec.limits.map((one) => one.value));
    return top > 0 ? [0, top * 1.12] : [0, 1];
  };

  const dashName = (dash) => (!dash || !dash.length ? "solid" : dash[0] < 4 ? "dotted" : "dashed");

  const optionsOf = (spec, width) => {
    const axis = { stroke: palette.faint, font: "12px system-ui, sans-serif", grid: { stroke: palette.line, width: 1 }, ticks: { stroke: palette.line, width: 1, size: 4 } };
    const series = spec.series.map((one, index) => {
      const stroke = palette[NAMED[one.name] || COLOURS[index % COLOURS.length]];
      return {
        label: one.name, stroke, width: 1.75, dash: DASHES[index % DASHES.length],
        points: { show: true, size: inTime ? 4 : 6, fill: stroke, filter: inTime ? lonely : null },
        value: (u, value, _series, index) => (index == null ? "–" : figure(spec.unit, value)),
      };
    });
    return {
      width,
      height: 230,
      padding: [18, 26, 0, 0],
      scales: { x: { time: false, range: () => zoom || whole }, y: spec.log ? { distr: 3, range: (u, low, high) => (low > 0 ? [low / 1.5, high * 1.5] : [1, 1000]) } : { range: range(spec) } },
      axes: [
        { ...axis, ...(inTime ? { incrs: STEPS } : {}), space: 60, size: 30, values: (u, splits) => splits.map(along) },
        {
          ...axis,
          size: 70,
          space: 34,
          ...(spec.unit === "bytes" ? { incrs: POWERS_OF_TWO } : {}),
          ...(spec.log ? { grid: { ...axis.grid, filter: (u, splits) => splits.map((one) => (/^[125]/.test(one.toExponential()) ? one : null)) } } : {}),
          values: (u, splits) => splits.map((one) => (one == null ? "" : figure(spec.unit, one))),
        },
      ],
      series: [{ label: inTime ? "time" : "value", value: (u, value) => (value == null ? "–" : along(value)) }, ...series],
      legend: { markers: { dash: (_plot, index) => dashName(DASHES[(index - 1) % DASHES.length]) } },
      cursor: { sync: { key: "run", setSeries: false }, drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
      hooks: {
        draw: [annotate(spec)],
        setSelect: [(u) => {
          if (u.select.width < 8) return;
          const range_ = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          zoomTo(range_);
        }],
      },
    };
  };

  const zoomTo = (times) => {
    zoom = times && times[1] - times[0] < (whole[1] - whole[0]) * 0.995 ? [Math.max(times[0], whole[0]), Math.min(times[1], data.end)] : null;
    allTime.hidden = zoom === null;
    plots.forEach(({ plot }) => plot.setScale("x", { min: (zoom || whole)[0], max: (zoom || whole)[1] }));
  };

  const say = (spec, box, plot, index) => {
    const parts = spec.series.map((one) => `${one.name} ${figure(spec.unit, one.values[index])}`);
    box.nextElementSibling.textContent = `${along(spec.t[index])}: ${parts.join(", ")}`;
  };

  const zoomBy = (plot, factor) => {
    const [low, high] = zoom || whole;
    const middle = plot.cursor.idx == null ? (low + high) / 2 : plot.data[0][plot.cursor.idx];
    const half = Math.max(((high - low) * factor) / 2, inTime ? 1 : 1e-6);
    zoomTo([middle - half, middle + half]);
  };

  const onKey = (spec, box) => (event) => {
    const { plot } = plots.find((one) => one.box === box);
    const [low, high] = zoom || whole;
    const inside = spec.t.map((time, index) => [time, index]).filter(([time]) => time >= low && time <= high).map(([, index]) => index);
    if (!inside.length || event.ctrlKey || event.altKey || event.metaKey) return;
    const now = plot.cursor.idx ?? inside[0] - 1;
    const step = event.shiftKey ? 10 : 1;
    const moves = { ArrowLeft: now - step, ArrowRight: now + step, Home: inside[0], End: inside[inside.length - 1] };
    if (event.key in moves) {
      const index = Math.min(Math.max(moves[event.key], inside[0]), inside[inside.length - 1]);
      plot.setCursor({ left: plot.valToPos(spec.t[index], "x"), top: plot.over.clientHeight / 2 });
      say(spec, box, plot, index);
    } else if (event.key === "+" || event.key === "=") zoomBy(plot, 0.5);
    else if (event.key === "-") zoomBy(plot, 2);
    else if (event.key === "0") zoomTo(null);
    else return;
    event.preventDefault();
  };

  const draw = (width) => {
    const names = ["text", "faint", "line", "card", "link", ...new Set([...COLOURS, "red"])];
    palette = Object.fromEntries(names.map((name) => [name, colour(name)]));
    plots.forEach(({ plot }) => plot.destroy());
    plots = data.plots.map((spec) => {
      const box = document.querySelector(`#${spec.id} .plot`);
      const columns = [spec.t, ...spec.series.map((one) => one.values)];
      return { box, spec, plot: new uPlot(optionsOf(spec, width || box.clientWidth), columns, box) };
    });
  };

  if (data.plots.length) {
    document.getElementById("plot-help").hidden = false;
    allTime.addEventListener("click", () => zoomTo(null));
    data.plots.forEach((spec) => {
      const box = document.querySelector(`#${spec.id} .plot`);
      box.tabIndex = 0;
      box.setAttribute("aria-describedby", "plot-help");
      box.addEventListener("keydown", onKey(spec, box));
    });
    draw();
    new ResizeObserver(() => {
      if (!printing) plots.forEach(({ box, plot }) => { if (box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height: 230 }); });
    }).observe(document.querySelector(".plots"));
  }

  // --- light and dark, paper ----------------------------------------------------------------------------------------

  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const theme = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const showTheme = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", isDark() ? "Change to light colours" : "Change to dark colours");
    draw();
  };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; showTheme(); });
  prefersDark.addEventListener("change", showTheme);
  showTheme();

  // A canvas does not follow the print stylesheet, and nothing can be expanded on paper.
  const PAPER_WIDTH = 325;
  const toPaper = () => {
    if (printing) return;
    printing = { theme: root.dataset.theme, opened: [...document.querySelectorAll("details:not(.plot-table):not([open])")] };
    root.dataset.theme = "light";
    printing.opened.forEach((one) => { one.open = true; });
    draw(PAPER_WIDTH);
  };
  const toScreen = () => {
    if (!printing) return;
    printing.opened.forEach((one) => { one.open = false; });
    if (printing.theme) root.dataset.theme = printing.theme; else delete root.dataset.theme;
    printing = null;
    draw();
  };
  addEventListener("beforeprint", toPaper);
  addEventListener("afterprint", toScreen);
  matchMedia("print").addEventListener("change", ({ matches }) => (matches ? toPaper() : toScreen()));

  // --- a page that is written again ---------------------------------------------------------------------------------

  // What the reader has done is kept in the history's entry, which outlives loading the page again but not the tab.
  const KEPT = "kubestress";
  const FOCUSABLE = "a, button, summary, [tabindex='0']";
  const foldName = (fold) => (fold.querySelector("table") || fold.closest("[id]")).id;
  const eachTable = () => [...document.querySelectorAll(".scroll > table")];

  // The part at the top of the window, because what lies above it may have grown by the next time.
  const placeNow = () => {
    const parts = document.querySelectorAll("main > section[id], main figure[id], main table[id]");
    const begun = [...parts].filter((one) => { const { top, height } = one.getBoundingClientRect(); return height && top <= 24; });
    const section = begun.pop();
    return scrollY > 8 && section ? { id: section.id, top: section.getBoundingClientRect().top } : null;
  };

  const focusNow = () => {
    const owner = document.activeElement.closest("[id]");
    return owner && { id: owner.id, index: [...owner.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement) };
  };

  const readerState = () => ({
    theme: root.dataset.theme,
    opened: [...document.querySelectorAll("details[open]")].map(foldName),
    all: eachTable().filter((one) => one.dataset.all === "yes").map((one) => one.id),
    sorted: eachTable().flatMap((table) => [...table.tHead.rows[0].cells].flatMap((header, index) => (
      header.getAttribute("aria-sort") === "none" ? [] : [[table.id, index, header.getAttribute("aria-sort")]]))),
    zoom,
    place: placeNow(),
    focus: focusNow(),
    paused,
  });

  const restore = (kept) => {
    const table = (id) => eachTable().find((one) => one.id === id);
    if (kept.theme) { root.dataset.theme = kept.theme; showTheme(); }
    document.querySelectorAll("details").forEach((one) => { one.open = kept.opened.includes(foldName(one)); });
    kept.all.forEach((id) => {
      const more = table(id)?.dataset.all === "yes" ? null : table(id)?.closest(".scroll").nextElementSibling;
      if (more?.classList.contains("more")) more.click();
    });
    kept.sorted.forEach(([id, index, order]) => {
      const header = table(id)?.tHead.rows[0].cells[index];
      for (let click = 0; header && click < 2 && header.getAttribute("aria-sort") !== order; click += 1) header.firstChild.click();
    });
    if (kept.zoom && plots.length) zoomTo(kept.zoom);
    const owner = kept.focus && document.getElementById(kept.focus.id);
    if (owner) (kept.focus.index < 0 ? owner : owner.querySelectorAll(FOCUSABLE)[kept.focus.index])?.focus({ preventScroll: true });
    const section = kept.place && document.getElementById(kept.place.id);
    scrollTo({ top: section ? scrollY + section.getBoundingClientRect().top - kept.place.top : 0, behavior: "instant" });
  };

  const before = history.state?.[KEPT];
  let paused = Boolean(before?.paused);
  let reloading = false;
  if (before) {
    restore(before);
    // Again when the browser has gone to the address's fragment.
    addEventListener("load", () => { restore(before); history.replaceState(null, ""); });
    // Not sooner: the browser would still go to its own place.
    addEventListener("pagehide", () => { if (!reloading) history.scrollRestoration = "auto"; });
  }

  if (data.live) {
    const { written, every, stale } = data.live;
    const pause = document.getElementById("live-pause");
    const warning = document.getElementById("live-stale");
    const showPause = () => { pause.textContent = paused ? "Go on" : "Pause"; pause.setAttribute("aria-label", `${pause.textContent}: loading this page again`); };
    pause.hidden = false;
    pause.addEventListener("click", () => { paused = !paused; showPause(); });
    showPause();
    // Nothing is pulled away under a finger.
    let held = false;
    addEventListener("pointerdown", () => { held = true; });
    ["pointerup", "pointercancel", "blur"].forEach((name) => addEventListener(name, () => { held = false; }));
    const due = performance.now() + every * 1000;
    const tick = () => {
      const age = Date.now() / 1000 - written;
      warning.hidden = stale === null || age < stale;
      if (!warning.hidden) document.getElementById("live-age").textContent = clock(age);
      if (paused || held || printing || performance.now() < due) return;
      reloading = true;
      history.scrollRestoration = "manual";
      history.replaceState({ [KEPT]: readerState() }, "");
      location.reload();
    };
    tick();
    setInterval(tick, 1000);
  }
})();
