// What became of one rule on one model, down to the bytes; and the pages of a rule and of a model.

function cellPage(report, cell, situation) {
  const { model, rule, items } = cell;
  const ordered = [...items].sort((one, other) => verdictOf(one.verdict).rank - verdictOf(other.verdict).rank);
  const told = ordered.filter((item) => tells(item));
  const opened = ordered.find((item) => item.situation === situation) ?? told[0];
  return [
    crumbs([["All rules", wayToMatrix()], [model.label, wayToModel(model)]], rule.id),
    el("h1", {}, rule.id, " ", level(rule.level), " ", badge(cell.verdict)),
    el("p", { class: "lead" }, rule.statement),
    neighbours(report, cell),
    el("h2", {}, `${items.length} ${items.length === 1 ? "item" : "items"}`),
    situations(cell, ordered),
    told.map((item) => itemPart(cell, item, item === opened)),
    ruleParts(rule),
    onOthers(report, cell),
  ];
}

const tells = (item) => item.verdict !== "passed" || item.note || item.timeline;
const level = (name) => (name ? el("span", { class: `level l-${name}` }, name) : null);
const partOf = (item) => `item-${item.name}`;

function crumbs(ways, here) {
  const items = ways.map(([name, href]) => el("li", {}, el("a", { href }, name)));
  return el("nav", { "aria-label": "Where this is", class: "crumbs" }, el("ol", {}, items, el("li", { "aria-current": "page" }, here)));
}

function neighbours(report, cell) {
  const { before, after } = aside(report, cell);
  const step = (rule, text, rel) =>
    rule ? el("a", { href: way("model", cell.model.label, rule.id), rel, class: "step" }, text(rule.id)) : el("span", {});
  return el("nav", { "aria-label": "Rules beside this one", class: "beside" }, step(before, (id) => `← ${id}`, "prev"), step(after, (id) => `${id} →`, "next"));
}

// The rules before and after, among those that the filters leave.
function aside(report, cell) {
  const rules = chosenRules(report).filter((rule) => rule.cells.has(cell.model.label));
  const here = rules.indexOf(cell.rule);
  return { before: rules[here - 1], after: here < 0 ? rules[0] : rules[here + 1] };
}

function situations(cell, items) {
  const rows = items.map((item) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, tells(item) ? el("a", { href: way("model", cell.model.label, cell.rule.id, item.situation) }, item.situation) : item.situation),
      el("td", {}, badge(verdictOf(item.verdict))),
      el("td", {}, level(item.level)),
      el("td", { class: "number" }, item.seconds ? seconds(item.seconds) : ""),
    ),
  );
  return scrolling("Items", table("Items: each form and case of the rule", ["Form and case", "Verdict", "Level", "Took"], rows, { class: "items" }));
}

function itemPart(cell, item, isOpen) {
  const part = el(
    "details",
    { class: "item", id: partOf(item), open: isOpen },
    el("summary", {}, el("h3", {}, item.name), " ", badge(verdictOf(item.verdict))),
  );
  const draw = () => part.childElementCount === 1 && part.append(...itemBody(cell, item));
  if (isOpen) draw();
  part.addEventListener("toggle", draw);
  return part;
}

function itemBody(cell, item) {
  const parts = [];
  if (item.expected || item.observed) {
    const side = (name, text) => el("div", {}, el("h4", {}, name), el("pre", { tabindex: "0" }, text ?? ""));
    parts.push(el("div", { class: "sides" }, side("Expected", item.expected), side("Observed", item.observed)));
  }
  const named = [["Because", "because"], ["Reason", "reason"], ["Note", "note"], ["Known", "known"], ["Level", "why"], ["Script", "script"], ["Wire", "wire"], ["Network", "network"]];
  const own = new Set([...named.map(([, key]) => key), "name", "rule", "level", "area", "form", "case", "verdict", "seconds", "expected", "observed", "rerun", "error", "server", "timeline", "situation"]);
  const others = Object.keys(item).filter((key) => !own.has(key)).map((key) => [key, plain(item[key])]);
  parts.push(facts([...named.map(([name, key]) => [name, item[key]]), ...others]));
  for (const [name, key] of [["Error of the suite", "error"], ["Error of the server", "server"]]) {
    if (item[key]) parts.push(el("h4", {}, name), el("pre", { tabindex: "0" }, item[key]));
  }
  if (item.rerun) parts.push(el("h4", {}, "Run it again"), copyable(item.rerun));
  if (item.timeline) parts.push(...timelineParts(item));
  return parts;
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function copyable(text) {
  const code = el("code", {}, text);
  const button = el("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
  });
  return el("div", { class: "copyable" }, el("pre", { tabindex: "0" }, code), button);
}

function timelineParts(item) {
  const record = item.timeline();
  const events = eventsOf(record);
  return [
    el("h4", {}, "Timeline"),
    drawn(record, item),
    el("details", { class: "more", open: events.length <= 80 }, el("summary", {}, `The same as a table: ${events.filter((event) => !event.leftOut).length} events`), sequence(events, item)),
    ...record.exchanges.flatMap((exchange) => (exchange.left_out ? [leftOut(exchange.left_out, "exchanges")] : wireLog(exchange, item))),
  ];
}

const leftOut = (count, of) => el("p", { class: "left-out" }, `… ${count.toLocaleString("en")} more ${of}, left out`);

function sequence(events, item) {
  let before = null;
  const rows = events.map((event) => {
    if (event.leftOut) return el("tr", { class: "gap" }, el("td", { colspan: 4 }, `… ${event.who}: ${event.what}`));
    const delay = before === null ? "" : `+${seconds(Math.max(0, event.at - before))}`;
    before = event.at;
    const told = [el("span", { class: "what" }, event.what), event.said ? [" ", el("code", {}, event.said)] : ""];
    return el(
      "tr",
      { class: event.side },
      el("td", { class: "number" }, seconds(event.at)),
      el("td", { class: "number" }, delay),
      el("td", {}, event.side === "server" ? [el("span", { class: "who" }, event.who), " ", ...told] : ""),
      el("td", {}, event.side === "client" ? [el("span", { class: "who" }, event.who), " ", ...told] : ""),
    );
  });
  return scrolling(`Events of ${item.name} in order`, table("What server and client did, in order", ["At", "After", "Server", "Client"], rows, { class: "sequence" }));
}

function wireLog(exchange, item) {
  let before = { at: exchange.at, bytes: "" };
  const rows = exchange.writes.map((write) => {
    if (write.left_out) return el("tr", { class: "gap" }, el("td", { colspan: 6 }, `… ${write.left_out} more writes, left out`));
    const row = writeRow(write, before);
    before = write;
    return row;
  });
  const title = `Exchange ${exchange.number}: ${exchange.method} ${exchange.path}`;
  const heads = ["At", "After", "Bytes", "Frames complete", "Kind", "What was written"];
  return [
    el("h4", {}, title),
    facts([
      ["Status", exchange.status],
      ["Connection", exchange.connection],
      ["Ended", endText(exchange)],
      ["Refused", exchange.refused],
      ["Script", exchange.turn],
      ["Beside the calls", exchange.aside ? "yes" : ""],
      ["Held", heldText(exchange)],
      ["Request", exchange.body ? el("code", { class: "bytes" }, exchange.body) : `${exchange.body_size} bytes`],
    ]),
    rows.length ? scrolling(`Wire log of exchange ${exchange.number} of ${item.name}`, table(`Wire log: ${exchange.frames} ${exchange.frames === 1 ? "frame" : "frames"}`, heads, rows, { class: "wire" })) : el("p", {}, "Nothing was written of a body."),
  ];
}

// What a write has in common with the one before it is told quietly.
function writeRow(write, before) {
  const same = alike(write.bytes, before.bytes);
  return el(
    "tr",
    {},
    el("td", { class: "number" }, seconds(write.at)),
    el("td", { class: "number" }, `+${seconds(Math.max(0, write.at - before.at))}`),
    el("td", { class: "number" }, write.size),
    el("td", {}, `${write.frames}${write.cut ? ", cut in the midst" : ""}`),
    el("td", {}, write.kind),
    el("td", {}, el("code", {}, el("span", { class: "same" }, write.bytes.slice(0, same)), write.bytes.slice(same))),
  );
}

function endText(exchange) {
  if (!exchange.ended) return "not when the rule was decided";
  return `${exchange.ended}${exchange.reset ? " with a reset" : ""}, at ${seconds(exchange.ended_at)}`;
}

function heldText(exchange) {
  const told = (held) => `before write ${held.writes + 1}, ${seconds(held.at)} to ${held.until === undefined ? "when the rule was decided" : seconds(held.until)}`;
  return (exchange.held ?? []).map((held) => (held.left_out ? `… ${held.left_out} more` : told(held))).join("; ");
}

function ruleParts(rule) {
  const parts = [["What usually breaks it", rule.hint], ["How to mend it", rule.mend], ["Where the demand comes from", rule.source]];
  const told = parts.filter(([, text]) => text).map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, linked(text))));
  return told.length ? el("section", { class: "about-rule", "aria-label": "The rule" }, el("h2", {}, "The rule"), el("dl", {}, told)) : null;
}

function onOthers(report, cell) {
  if (report.models.length < 2) return null;
  return el("p", {}, el("a", { href: wayToRule(cell.rule) }, `${cell.rule.id} on all ${report.models.length} models`));
}

function rulePage(report, rule) {
  const rows = report.models.map((model) => {
    const cell = rule.cells.get(model.label);
    const first = cell?.items.find((item) => item.verdict === cell.verdict.name);
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, el("a", { href: cell ? wayToCell(cell) : wayToModel(model) }, model.label)),
      el("td", {}, cell ? badge(cell.verdict) : "no item"),
      el("td", {}, first?.verdict === "passed" ? "" : (first?.observed ?? first?.reason ?? "")),
    );
  });
  return [
    crumbs([["All rules", wayToMatrix()]], rule.id),
    el("h1", {}, rule.id, " ", level(rule.level)),
    el("p", { class: "lead" }, rule.statement),
    ruleParts(rule),
    el("h2", {}, "On the models"),
    scrolling("The rule on the models", table(`${rule.id} by model`, ["Model", "Verdict", "Observed, or why not judged"], rows)),
    el("p", {}, "All that the suite says of it: ", el("code", {}, `conformance explain ${rule.id}`)),
  ];
}

function modelPage(report, model) {
  const areas = new Map();
  for (const cell of model.cells.values()) {
    if (!areas.has(cell.rule.area)) areas.set(cell.rule.area, []);
    areas.get(cell.rule.area).push(cell);
  }
  const rows = [...areas].map(([area, cells]) => el("tr", {}, el("th", { scope: "row" }, area), el("td", {}, el("div", { class: "cells" }, cells.map(smallCell)))));
  const native = Object.entries(model.native).map(([name, own]) => `${name} ${own ? "native" : "from langchain-core"}`);
  const known = ["spec", "label", "class", "wire", "kwargs", "package", "outcome"];
  const others = Object.entries(model).filter(([name, told]) => typeof told === "string" && !known.includes(name));
  const kwargs = Object.keys(model.kwargs).length ? JSON.stringify(model.kwargs) : "";
  return [
    crumbs([["All rules", wayToMatrix()]], model.label),
    el("h1", {}, model.label, " ", outcomeBadge(model.outcome)),
    model.missing.length ? el("p", {}, `${model.missing.length} of ${model.chosen} items have no verdict.`) : null,
    facts([
      ["Named", model.spec],
      ["Class", model.class],
      ["Wire", model.wire],
      ["Arguments", kwargs],
      ["Package", packageText(model)],
      ["Methods", native.join(", ")],
      ...others,
      ...LEVELS.slice(0, 2).map((name) => [`${name} rules that hold`, keptText(model, name)]),
      ["Items", `${itemsText(model)}; ${model.catalogue} in the catalogue`],
    ]),
    el("h2", {}, "Rules"),
    table("Rules by area", ["Area", "Rules"], rows, { class: "by-area" }),
    el("h2", {}, "Versions"),
    facts(Object.entries(model.versions)),
  ];
}

function smallCell(cell) {
  const { sign, name, style } = cell.verdict;
  const [area, number] = cell.rule.id.split("-");
  const shown = [unseen(`${area}-`), `${number} `, el("span", { "aria-hidden": "true", class: "sign" }, sign), unseen(name)];
  return el("a", { href: wayToCell(cell), class: `small v-${style}`, title: `${cell.rule.id}: ${name}\n${cell.rule.statement}` }, shown);
}
