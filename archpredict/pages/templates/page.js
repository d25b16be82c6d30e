"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const items = data.items;
  const PALETTE = {
    light: ["#0072b2", "#b34700", "#00795a", "#9b4f82", "#6b6000", "#4d4d4d", "#7d3c00", "#8a3ffc", "#a2191f", "#005d5d"],
    dark: ["#56b4e9", "#e69f00", "#2fc89a", "#e08fbf", "#f0e442", "#c0c0c0", "#d2a679", "#be95ff", "#ff8389", "#3ddbd9"],
  };
  const PAGE = 25, ON_PAPER = 200;
  let rowsShown = PAGE;
  const redraws = [];
  const byId = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in element && name !== "list") element[name] = value; else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };
  const shown = (value) => {
    if (value === null || value === undefined) return "–";
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en");
    return Math.abs(value) >= 1e-4 && Math.abs(value) < 1e6 ? String(Number(value.toPrecision(7))) : value.toPrecision(6);
  };
  const say = (text) => { byId("said").textContent = text; };

  // ------------------------------------------------------------------ light and dark

  const stored = { get: (key) => { try { return sessionStorage.getItem(key); } catch { return null; } },
    set: (key, value) => { try { sessionStorage.setItem(key, value); } catch { /* private windows */ } } };
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = stored.get("theme");
  const theme = () => chosen ?? (prefersDark.matches ? "dark" : "light");
  const showTheme = (name = theme()) => {
    document.documentElement.dataset.theme = name;
    byId("theme").setAttribute("aria-pressed", String(name === "dark"));
  };
  showTheme();
  byId("theme").addEventListener("click", () => {
    chosen = theme() === "dark" ? "light" : "dark";
    stored.set("theme", chosen);
    showTheme();
    restyle();
  });
  prefersDark.addEventListener("change", () => { showTheme(); restyle(); });

  // ------------------------------------------------------------------ drawings, tips and details

  let drawings = { of: [] };
  const drawing = (i) => {
    const packed = drawings.of[i];
    if (!packed) return null;
    const [template, ...boxes] = packed;
    const svg = new DOMParser().parseFromString(drawings.templates[template], "image/svg+xml").documentElement;
    svg.querySelectorAll("g.op").forEach((group, k) => {
      const [lines, fill, letters] = drawings.boxes[boxes[k]];
      group.querySelector("rect").setAttribute("fill", fill);
      group.querySelectorAll("text").forEach((text, n) => { text.textContent = lines[n]; text.setAttribute("fill", letters); });
    });
    svg.querySelector("title").textContent = `Drawing of ${items.titles[i]}`;
    return document.importNode(svg, true);
  };
  const facts = (i, skip = () => false) => make("dl", { className: "facts" }, ...items.names.flatMap((name, k) => {
    const value = items.facts[i][k];
    if (value === null || skip(name)) return [];
    return [make("div", {}, make("dt", {}, name), make("dd", {}, shown(value)))];
  }));
  const tip = byId("tip");
  const showTip = (i, event) => {
    const picture = drawing(i);
    tip.replaceChildren(make("strong", {}, items.titles[i]), facts(i), ...(picture ? [picture] : []));
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const x = event.clientX + 18 + width > innerWidth ? event.clientX - width - 12 : event.clientX + 18;
    tip.style.left = `${Math.max(4, x)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - height - 8))}px`;
  };
  const hideTip = () => { tip.hidden = true; };
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); } catch {
      const area = make("textarea", { value: text });
      (document.querySelector("dialog[open]") ?? document.body).append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say("Copied");
  };
  const copyButton = (text) => make("button", { type: "button", className: "copy", onclick: (event) => {
    copy(text);
    event.target.textContent = "Copied";
    setTimeout(() => { event.target.textContent = "Copy"; }, 1500);
  } }, "Copy");
  const showDetails = (i) => {
    hideTip();
    const dialog = byId("details"), notation = items.notations[i], picture = drawing(i);
    byId("details-title").textContent = items.titles[i];
    const command = make("div", { className: "command" }, make("span", {}, data.copied),
      make("pre", { tabIndex: 0 }, make("code", {}, notation)), copyButton(notation));
    byId("details-body").replaceChildren(...(notation ? [command] : []), facts(i), ...(picture ? [picture] : []));
    if (!dialog.open) dialog.showModal();
  };
  document.querySelectorAll("main .command").forEach((element) => {
    const text = element.querySelector("code").textContent;
    element.querySelector(".copy").replaceWith(copyButton(text));
  });

  // ------------------------------------------------------------------ tables

  // What a column is sorted by: numbers as they are, texts such that "b2" comes before "b10" and ":" stands for "two digits".
  const counted = (digits) => String.fromCharCode(56 + Math.min(digits.length, 40)) + digits;
  const keyOf = (value) => typeof value === "number" ? value : String(value).toLowerCase().replace(/\d{2,}/g, counted);
  const compare = (a, b) => a === b ? 0 : typeof a !== typeof b ? (typeof a === "number" ? -1 : 1) : a < b ? -1 : 1;
  const sorted = (values, sign) => {
    const keys = values.map((value) => value === null ? null : keyOf(value)), all = keys.map((_, i) => i);
    const known = all.filter((i) => keys[i] !== null).sort((i, j) => sign * compare(keys[i], keys[j]) || i - j);
    return [...known, ...all.filter((i) => keys[i] === null)];
  };
  const once = (found) => { let known = null; return () => (known ??= found()); };
  document.querySelectorAll(".sheet").forEach((element) => {
    const sheet = data.sheets[Number(element.dataset.sheet)], title = element.dataset.title;
    const linked = sheet.items.length > 0;
    if (linked) sheet.rows.forEach((row, i) => { if (row.length < sheet.columns.length) row.push(items.notations[sheet.items[i]]); });
    const numeric = sheet.columns.map((_, k) => sheet.rows.every((row) => row[k] === null || typeof row[k] === "number"));
    const texts = once(() => sheet.rows.map((row) => row.map((value) => String(value ?? "")).join("\u0001").toLowerCase()));
    const orders = sheet.columns.map((_, k) => [1, -1].map((sign) => once(() => sorted(sheet.rows.map((row) => row[k]), sign))));
    let order = sheet.rows.map((_, i) => i), page = 0, by = -1, down = false, wanted = "";
    const body = make("tbody"), count = make("span", { className: "count" });
    const filter = make("input", { type: "search", placeholder: "filter", oninput: () => { wanted = filter.value.toLowerCase(); page = 0; arrange(); } });
    const back = make("button", { type: "button", onclick: () => { page -= 1; draw(); } }, "Previous");
    const on = make("button", { type: "button", onclick: () => { page += 1; draw(); } }, "Next");
    const heads = sheet.columns.map((name, k) => make("th", { scope: "col", className: numeric[k] ? "number" : "" }, make("button", { type: "button", onclick: () => {
      down = by === k ? !down : numeric[k] && k > 0;
      by = k;
      page = 0;
      arrange();
    } }, name)));
    const arrange = () => {
      order = by < 0 ? sheet.rows.map((_, i) => i) : orders[by][Number(down)]();
      if (wanted) order = order.filter((i) => texts()[i].includes(wanted));
      heads.forEach((head, k) => {
        if (k === by) head.setAttribute("aria-sort", down ? "descending" : "ascending"); else head.removeAttribute("aria-sort");
        head.firstChild.textContent = sheet.columns[k] + (k === by ? (down ? " ▾" : " ▴") : "");
      });
      draw();
    };
    const draw = () => {
      const pages = Math.max(1, Math.ceil(order.length / rowsShown));
      page = Math.max(0, Math.min(page, pages - 1));
      body.replaceChildren(...order.slice(page * rowsShown, (page + 1) * rowsShown).map((i) => {
        const cells = sheet.rows[i].map((value, k) => make("td", { className: numeric[k] ? "number" : linked && value === items.notations[sheet.items[i]] ? "long notation" : String(value ?? "").length > 40 ? "long" : "", title: typeof value === "string" && value.length > 40 ? value : "" }, shown(value)));
        if (linked) {
          const name = items.titles[sheet.items[i]];
          cells.push(make("td", { className: "show" }, make("button", { type: "button", "aria-label": `Details of ${name}`, onclick: () => showDetails(sheet.items[i]) }, "Details")));
        }
        return make("tr", {}, ...cells);
      }));
      count.textContent = `${order.length.toLocaleString("en")} of ${sheet.rows.length.toLocaleString("en")}, page ${page + 1} of ${pages}`;
      back.hidden = on.hidden = sheet.rows.length <= rowsShown;
      back.disabled = page === 0;
      on.disabled = page >= pages - 1;
    };
    if (linked) heads.push(make("th", { scope: "col", className: "show" }, make("span", { className: "unseen" }, "Details")));
    const caption = make("caption", { className: "unseen" }, title);
    const controls = make("div", { className: "controls" }, make("label", {}, `${title}: `, filter), back, on, count);
    const wrap = make("div", { className: "wrap", tabIndex: 0, role: "region", "aria-label": title }, make("table", {}, caption, make("thead", {}, make("tr", {}, ...heads)), body));
    element.append(...(sheet.rows.length > 1 ? [controls] : []), wrap);
    arrange();
    redraws.push(draw);
  });
  const showRows = (count) => { rowsShown = count; redraws.forEach((draw) => draw()); };

  // ------------------------------------------------------------------ galleries

  const FEW = 12;
  const hang = (element, numbers) => element.append(...numbers.map((i) => {
    const show = make("button", { type: "button", className: "link", onclick: () => showDetails(i) }, items.titles[i]);
    return make("figure", {}, make("figcaption", {}, show), make("div", { className: "scroll", tabIndex: 0 }, drawing(i) ?? ""), make("code", { className: "paper" }, items.notations[i]));
  }));
  const hangAll = () => document.querySelectorAll(".gallery").forEach((element) => {
    const numbers = data.galleries[Number(element.dataset.gallery)], frame = make("div", { className: "frames" });
    hang(frame, numbers.slice(0, FEW));
    const rest = make("button", { type: "button", onclick: () => { rest.remove(); hang(frame, numbers.slice(FEW)); } }, `Show all ${numbers.length}`);
    element.append(make("h3", {}, element.dataset.title), frame, ...(numbers.length > FEW ? [rest] : []));
  });

  // ------------------------------------------------------------------ charts

  const plots = [];
  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const coloured = (trace, palette) => {
    const { colour = 0, items: _, ...rest } = trace, hue = palette[colour % palette.length];
    const marker = { ...rest.marker, color: hue, line: { width: 0 } };
    const fill = rest.fill === "toself" ? { fillcolor: `${hue}33` } : {};
    return { ...rest, marker, line: { ...rest.line, color: hue }, ...fill };
  };
  const layoutOf = (layout) => {
    const axis = { gridcolor: variable("--grid"), zerolinecolor: variable("--line"), linecolor: variable("--line"), automargin: true };
    const named = Object.fromEntries(Object.entries(layout).filter(([name]) => /^[xy]axis/.test(name)).map(([name, value]) => [name, { ...axis, ...value }]));
    return { margin: { l: 50, r: 10, t: 10, b: 40 }, hovermode: "closest", autosize: true, ...layout, ...named,
      paper_bgcolor: variable("--ground"), plot_bgcolor: variable("--ground"), font: { color: variable("--text"), family: "inherit", size: 13 },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, ...layout.legend } };
  };
  const restyle = () => {
    const palette = PALETTE[document.documentElement.dataset.theme];
    plots.forEach(([element, chart]) => Plotly.react(element, chart.traces.map((t) => coloured(t, palette)), layoutOf(chart.layout), { displaylogo: false, responsive: true, displayModeBar: false }));
  };
  const itemOf = (chart, event) => {
    const point = event.points[0];
    return chart.traces[point.curveNumber].items?.[point.pointNumber];
  };
  const drawCharts = () => {
    document.querySelectorAll(".chart").forEach((element) => plots.push([element, data.charts[Number(element.dataset.chart)]]));
    restyle();
    plots.forEach(([element, chart]) => {
      if (!chart.traces.some((trace) => trace.items)) return;
      element.on("plotly_hover", (event) => { const i = itemOf(chart, event); if (i !== undefined) showTip(i, event.event); });
      element.on("plotly_unhover", hideTip);
      element.on("plotly_click", (event) => { const i = itemOf(chart, event); if (i !== undefined) showDetails(i); });
    });
  };
  const unpack = async (text) => {
    const letters = atob(text), bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i += 1) bytes[i] = letters.charCodeAt(i);
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const withDrawings = async () => {
    drawings = JSON.parse(await unpack(byId("drawings").textContent));
    hangAll();
  };
  const withCharts = async () => {
    const script = document.createElement("script");
    script.textContent = await unpack(byId("plotly").textContent);
    document.head.append(script);
    drawCharts();
  };
  (async () => {
    for (const [name, act] of [["drawings", withDrawings], ["plotly", withCharts]]) {
      try { if (byId(name)) await act(); } catch (error) { say(`The page cannot be shown as a whole (${name}): ${error}`); }
    }
    document.body.dataset.ready = "true";
  })();
  addEventListener("beforeprint", () => { showTheme("light"); showRows(ON_PAPER); if (plots.length) { restyle(); plots.forEach(([element]) => Plotly.relayout(element, { width: 680 })); } });
  addEventListener("afterprint", () => { showTheme(); showRows(PAGE); if (plots.length) { plots.forEach(([element]) => Plotly.relayout(element, { width: null, autosize: true })); restyle(); } });

  // ------------------------------------------------------------------ while the run goes on

  if (data.reload) {
    const box = byId("reload");
    box.checked = stored.get("reload") !== "off";
    box.addEventListener("change", () => stored.set("reload", box.checked ? "on" : "off"));
    const place = stored.get("scroll");
    if (place !== null) scrollTo(0, Number(place));
    setInterval(() => {
      if (!box.checked || byId("details").open) return;
      stored.set("scroll", String(scrollY));
      location.reload();
    }, data.reload * 1000);
  }
})();
