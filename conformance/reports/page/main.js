// From the address to the page that it names.

let report = null;
const place = {
  cell: null,
  step(down, right) {
    const { before, after } = aside(report, this.cell);
    const models = chosenModels(report).filter((model) => model.cells.has(this.cell.rule.id));
    const rule = down ? (down > 0 ? after : before) : this.cell.rule;
    const model = right ? models[models.indexOf(this.cell.model) + right] : this.cell.model;
    if (!rule || !model) return false;
    location.hash = way("model", model.label, rule.id);
    return true;
  },
};

function showAddress(hash) {
  if (location.hash !== hash && (location.hash || hash !== "#/")) history.replaceState(null, "", hash);
}

function parse(hash) {
  const [path, query = ""] = (hash.startsWith("#/") ? hash.slice(2) : "").split("?");
  try {
    return { parts: path.split("/").filter(Boolean).map(decodeURIComponent), query };
  } catch {
    return { parts: ["?"], query };
  }
}

function pageOf(parts, query) {
  const [kind, name, id, ...situation] = parts;
  if (!kind) {
    readFilters(query);
    return ["", overview(report)];
  }
  const model = kind === "model" ? report.models.find((each) => each.label === name) : undefined;
  const rule = report.rules.get(kind === "rule" ? name : id);
  if (kind === "rule" && rule && !id) return [rule.id, rulePage(report, rule)];
  if (model && !id) return [model.label, modelPage(report, model)];
  const cell = model && rule?.cells.get(model.label);
  if (!cell) return ["Not found", [el("h1", {}, "Not found"), el("p", {}, "This report has nothing at this address. ", el("a", { href: "#/" }, "All rules"))]];
  place.cell = cell;
  return [`${cell.rule.id}, ${model.label}`, cellPage(report, cell, situation.join("/"))];
}

function show(isFirst) {
  const { parts, query } = parse(location.hash);
  place.cell = null;
  const [name, content] = pageOf(parts, query);
  const main = byId("main");
  main.replaceChildren(...content.flat(Infinity).filter(Boolean));
  document.title = [name, `Conformance: ${report.outcome}`].filter(Boolean).join(" · ");
  const item = parts[3] && main.querySelector("details.item[open]");
  if (item) item.scrollIntoView();
  else if (!isFirst) scrollTo(0, 0);
  if (!isFirst) main.focus({ preventScroll: true });
}

function banner() {
  const late = report.models.filter((model) => model.outcome === "incomplete");
  if (!late.length) return;
  const missing = late.map((model) => `${model.label}: ${model.items.length} of ${model.chosen} items have a verdict`);
  byId("banner").append(
    el("section", { class: "banner", "aria-label": "Incomplete" }, el("p", {}, el("strong", {}, "This run is incomplete, and no pass. "), report.why || "Items have no verdict."), el("p", {}, missing.join("; "))),
  );
}

function about() {
  const { suite, python } = report;
  const told = [
    `${suite.name} ${suite.version}`,
    `catalogue ${suite.catalogue.revision} (${suite.catalogue.digest})`,
    `Python ${python.version} (${python.implementation}), ${python.system}`,
    `begun ${report.started}, took ${seconds(report.seconds)}`,
  ];
  byId("about").append(el("p", {}, told.join(" · ")));
}

function begin() {
  report = readReport();
  setTheme(savedTheme());
  for (const id of ["theme", "help"]) byId(id).hidden = false;
  byId("theme").addEventListener("click", nextTheme);
  byId("help").addEventListener("click", showKeys);
  addEventListener("keydown", (event) => hearKeys(event, place));
  addEventListener("hashchange", () => show(false));
  byId("skip").addEventListener("click", (event) => (event.preventDefault(), byId("main").focus()));
  banner();
  about();
  show(true);
}

begin();
