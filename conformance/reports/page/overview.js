// The first page: outcome, models, filters, and the matrix of rules by models.

const FEW = 5;
const filters = { verdict: new Set(), level: new Set(), area: "", model: "", text: "" };

function readFilters(query) {
  const given = new URLSearchParams(query);
  filters.verdict = new Set((given.get("verdict") ?? "").split(",").filter(Boolean));
  filters.level = new Set((given.get("level") ?? "").split(",").filter(Boolean));
  for (const name of ["area", "model", "text"]) filters[name] = given.get(name) ?? "";
}

function wayToMatrix() {
  const told = new URLSearchParams();
  for (const name of ["verdict", "level"]) if (filters[name].size) told.set(name, [...filters[name]].join(","));
  for (const name of ["area", "model", "text"]) if (filters[name]) told.set(name, filters[name]);
  return told.size ? `#/?${told}` : "#/";
}

const chosenModels = (report) => report.models.filter((model) => !filters.model || model.label === filters.model);

// The rules that the filters leave, in order.
function chosenRules(report) {
  const models = chosenModels(report);
  const words = filters.text.toLowerCase().split(/\s+/).filter(Boolean);
  return report.ordered.filter((rule) => {
    if (filters.level.size && !filters.level.has(rule.level)) return false;
    if (filters.area && rule.area !== filters.area) return false;
    if (!words.every((word) => rule.found.includes(word))) return false;
    const cells = models.map((model) => rule.cells.get(model.label)).filter(Boolean);
    if (!filters.verdict.size) return cells.length > 0 || !filters.model;
    return cells.some((cell) => cell.items.some((item) => filters.verdict.has(item.verdict)));
  });
}

function overview(report) {
  const count = el("p", { class: "count-line", role: "status" });
  const { region, narrow } = matrix(report);
  const refresh = () => {
    const rules = chosenRules(report);
    narrow(new Set(rules), new Set(chosenModels(report)));
    const told = rules.length === report.rules.size ? `${rules.length} rules` : `${rules.length} of ${report.rules.size} rules`;
    count.textContent = rules.length ? told : `${told}: no rule is left by the filters`;
    showAddress(wayToMatrix());
  };
  const parts = [
    el("h1", {}, headline(report)),
    modelsTable(report),
    el("section", { "aria-labelledby": "matrix-title" }, el("h2", { id: "matrix-title" }, "Rules"), filterBar(report, refresh), count, region),
  ];
  refresh();
  return parts;
}

function headline(report) {
  const { models, outcome } = report;
  if (models.length === 1) return [`${models[0].label}: `, outcomeBadge(outcome)];
  const these = models.filter((model) => model.outcome === outcome).length;
  const told = these === models.length ? `All ${models.length} models` : `${these} of ${models.length} models`;
  return [`${told}: `, outcomeBadge(outcome)];
}

function modelsTable(report) {
  const rows = report.models.map((model) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, el("a", { href: wayToModel(model) }, model.label)),
      el("td", { "data-label": "Outcome" }, outcomeBadge(model.outcome)),
      LEVELS.slice(0, 2).map((level) => el("td", { "data-label": `${level} rules that hold` }, keptText(model, level))),
      el("td", { "data-label": "Package" }, packageText(model)),
      el("td", { "data-label": "Items" }, itemsText(model)),
    ),
  );
  const heads = ["Model", "Outcome", "MUST rules that hold", "SHOULD rules that hold", "Package", "Items"];
  const shown = scrolling("Models", table("Models", heads, rows, { class: "models cards" }));
  if (report.models.length <= FEW) return shown;
  return el("details", { class: "more", open: report.models.length <= 12 }, el("summary", {}, `${report.models.length} models`), shown);
}

function keptText(model, level) {
  const { holding, judged } = kept(model, level);
  if (!judged) return "none judged";
  return el("span", {}, meter(holding, judged), ` ${holding} of ${judged}`);
}

function meter(part, whole) {
  const width = whole ? (72 * part) / whole : 0;
  return svg(
    "svg",
    { class: "meter", viewBox: "0 0 72 8", "aria-hidden": "true", width: 72, height: 8 },
    svg("rect", { class: "whole", width: 72, height: 8, rx: 2 }),
    svg("rect", { class: "part", width: width.toFixed(1), height: 8, rx: 2 }),
  );
}

const packageText = (model) => (model.package ? `${model.package.name} ${model.package.version}` : "none");

function itemsText(model) {
  const { length } = model.items;
  return length < model.chosen ? `${length} judged of ${model.chosen}` : `${length}`;
}

function filterBar(report, refresh) {
  const counts = new Map();
  for (const rule of report.ordered) {
    for (const cell of rule.cells.values()) {
      for (const item of cell.items) counts.set(item.verdict, (counts.get(item.verdict) ?? 0) + 1);
    }
  }
  const verdicts = VERDICTS.filter((verdict) => counts.has(verdict.name)).map((verdict) => [
    verdict.name,
    badge(verdict, { count: counts.get(verdict.name).toLocaleString("en") }),
    verdict.meaning,
  ]);
  const areas = [...new Set(report.ordered.map((rule) => rule.area))];
  const search = el("input", {
    type: "search",
    id: "search",
    placeholder: "Search rules and what was observed",
    "aria-label": "Search rules and what was observed",
    value: filters.text,
    on: { input: (event) => ((filters.text = event.target.value), refresh()) },
  });
  return el(
    "form",
    { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } },
    search,
    choice("Area", "area", areas, refresh),
    report.models.length > 1 ? choice("Model", "model", report.models.map((model) => model.label), refresh) : null,
    toggles("Verdicts", "verdict", verdicts, refresh),
    toggles("Levels", "level", LEVELS.filter((level) => report.ordered.some((rule) => rule.level === level)).map((level) => [level, level, ""]), refresh),
  );
}

function choice(label, name, options, refresh) {
  const select = el(
    "select",
    { id: `filter-${name}`, on: { change: (event) => ((filters[name] = event.target.value), refresh()) } },
    el("option", { value: "" }, `All ${label.toLowerCase()}s`),
    options.map((option) => el("option", { value: option, selected: filters[name] === option }, option)),
  );
  return el("label", { class: "choice" }, unseen(label), select);
}

function toggles(label, name, options, refresh) {
  return el(
    "fieldset",
    {},
    el("legend", { class: "unseen" }, label),
    options.map(([value, shown, title]) =>
      el(
        "label",
        { class: "toggle", title },
        el("input", {
          type: "checkbox",
          value,
          "data-filter": name,
          checked: filters[name].has(value),
          on: { change: (event) => (filters[name][event.target.checked ? "add" : "delete"](value), refresh()) },
        }),
        shown,
      ),
    ),
  );
}

function matrix(report) {
  const isWide = report.models.length > FEW;
  const heads = report.models.map((model) =>
    el("th", { scope: "col" }, el("a", { href: wayToModel(model), title: model.label }, model.label)),
  );
  const bodies = new Map();
  const rows = report.ordered.map((rule) => {
    const row = ruleRow(report, rule, isWide);
    if (!bodies.has(rule.area)) bodies.set(rule.area, areaBody(report, rule.area));
    bodies.get(rule.area).append(row);
    return [rule, row];
  });
  const shown = el(
    "table",
    { class: isWide ? "matrix wide" : report.models.length > 2 ? "matrix several" : "matrix", id: "matrix" },
    el("caption", { class: "unseen" }, "Verdict of each rule on each model"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Rule"), heads)),
    ...bodies.values(),
  );
  const narrow = (rules, models) => {
    const hides = report.models.map((model) => !models.has(model));
    heads.forEach((head, place) => (head.hidden = hides[place]));
    for (const [rule, row] of rows) {
      row.hidden = !rules.has(rule);
      if (!row.hidden) [...row.children].forEach((cell, place) => place && (cell.hidden = hides[place - 1]));
    }
    for (const body of bodies.values()) body.hidden = [...body.rows].every((row, place) => !place || row.hidden);
  };
  return { region: scrolling("Matrix of rules and models", shown), narrow };
}

function areaBody(report, area) {
  const head = el("th", { scope: "rowgroup", colspan: report.models.length + 1 }, el("span", {}, area));
  return el("tbody", { id: `area-${area}` }, el("tr", { class: "area" }, head));
}

function ruleRow(report, rule, isWide) {
  const head = el(
    "th",
    { scope: "row" },
    el("a", { href: wayToRule(rule), title: isWide ? rule.statement : null }, rule.id),
    el("span", { class: `level l-${rule.level}` }, rule.level),
    el("span", { class: "statement" }, rule.statement),
  );
  return el("tr", { "data-rule": rule.id }, head, report.models.map((model) => matrixCell(rule.cells.get(model.label), !isWide)));
}

function matrixCell(cell, word) {
  if (!cell) return el("td", {}, unseen("no item"));
  const alike = cell.items.filter((item) => item.verdict === cell.verdict.name).length;
  const count = alike < cell.items.length && BROKEN.includes(cell.verdict.name) ? `${alike}/${cell.items.length}` : "";
  const { sign, name, style } = cell.verdict;
  const where = `${cell.model.label}, ${cell.rule.id}`;
  const named = { href: wayToCell(cell), title: `${where}: ${name}${count ? ` ${count}` : ""}` };
  if (word) return el("td", {}, el("a", { ...named, class: "cell" }, unseen(`${where}: `), badge(cell.verdict, { count })));
  // Of many models there are thousands of cells, each as small as can be.
  return el("td", {}, el("a", { ...named, class: `cell sign v-${style}`, "aria-label": `${sign} ${name}: ${where}` }, sign));
}
