// Elements by name. Texts are set as texts: nothing of a report is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [type, hear] of Object.entries(value)) element.addEventListener(type, hear);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
const byId = (id) => document.getElementById(id);
const unseen = (text) => el("span", { class: "unseen" }, text);

const way = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;
const wayToModel = (model) => way("model", model.label);
const wayToRule = (rule) => way("rule", rule.id);
const wayToCell = (cell) => way("model", cell.model.label, cell.rule.id);

// A verdict by its sign, shape and word.
function badge(verdict, { count = "" } = {}) {
  return el(
    "span",
    { class: `badge v-${verdict.style}` },
    el("span", { class: "sign", "aria-hidden": "true" }, verdict.sign),
    el("span", { class: "word" }, verdict.name),
    count ? el("span", { class: "count" }, ` ${count}`) : null,
  );
}

function outcomeBadge(outcome) {
  const style = { passed: "passed", failed: "failed", incomplete: "missing" }[outcome] ?? "missing";
  const sign = { passed: "✓", failed: "F", incomplete: "?" }[outcome] ?? "?";
  return badge({ name: outcome, sign, style });
}

// Texts with their addresses of the web as links, which are followed only when they are clicked.
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"')\]]*[^\s<>"')\].,;:])/).map((part, place) =>
    place % 2 ? el("a", { href: part, rel: "noreferrer noopener" }, part) : part,
  );
}

function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return el("dl", { class: "facts" }, shown.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function table(caption, heads, rows, attributes = {}) {
  return el(
    "table",
    attributes,
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows),
  );
}

// A part that is wider than a phone scrolls by itself, with the keyboard too.
const scrolling = (label, ...children) =>
  el("div", { class: "scrolling", tabindex: "0", role: "region", "aria-label": label }, ...children);
