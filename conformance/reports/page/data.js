// The report as it stands in the page: unpacked, and put in order for drawing.

const VERDICTS = [
  // From the worst on: what several verdicts come to is the first of these. Name, sign, key of its style, meaning.
  ["harness error", "E", "error", "an error of this suite, never blamed on the model"],
  ["failed", "F", "failed", "a MUST that does not hold"],
  ["stale", "S", "stale", "holds, and the baseline says that it does not"],
  ["no verdict", "?", "missing", "was to run and did not: the run was cut short"],
  ["warned", "W", "warned", "a SHOULD that does not hold"],
  ["new", "N", "new", "does not hold; newer than the revision that the run holds to"],
  ["known", "K", "known", "does not hold, as the baseline says"],
  ["blocked", "B", "blocked", "a more basic rule fails, so that this one says nothing new"],
  ["passed", "✓", "passed", "holds"],
  ["not applicable", "–", "none", "cannot be said of this model"],
].map(([name, sign, style, meaning], rank) => ({ name, sign, style, meaning, rank }));
const VERDICT = new Map(VERDICTS.map((verdict) => [verdict.name, verdict]));
const BROKEN = ["failed", "warned", "new", "known", "harness error"];
const RED = ["failed", "stale", "harness error"];
const LEVELS = ["MUST", "SHOULD", "INFO"];

function unpacker({ texts, shapes }) {
  const unpack = (value) => {
    if (typeof value === "string") return texts[parseInt(value, 36)];
    if (!Array.isArray(value)) return value;
    if (value[0] < 0) return value.slice(1).map(unpack);
    const made = Object.create(null);
    const shape = shapes[value[0]];
    for (let place = 0; place < shape.length; place += 1) {
      const inner = value[place + 1];
      // Timelines are most of a report, and few of them are looked at.
      made[shape[place]] = shape[place] === "timeline" ? () => unpack(inner) : unpack(inner);
    }
    return made;
  };
  return unpack;
}

function readReport() {
  const given = JSON.parse(document.getElementById("report").textContent);
  const report = unpacker(given)(given.packed);
  const rules = new Map();
  for (const id of Object.keys(report.rules)) {
    rules.set(id, { id, area: id.split("-")[0], ...report.rules[id], cells: new Map() });
  }
  const models = report.models.map((model) => modelOf(model, report, rules));
  for (const rule of rules.values()) rule.found = foundIn(rule);
  const ordered = [...rules.values()];
  return { ...report, rules, models, ordered, outcome: worstOutcome(models.map((model) => model.outcome)) };
}

function modelOf(model, report, rules) {
  const cells = new Map();
  const add = (item) => {
    if (!rules.has(item.rule)) {
      rules.set(item.rule, { id: item.rule, area: item.area, level: item.level, statement: "", cells: new Map() });
    }
    if (!cells.has(item.rule)) cells.set(item.rule, []);
    cells.get(item.rule).push(item);
  };
  for (const item of model.items) {
    item.situation = item.name.slice(item.rule.length + 1);
    add(item);
  }
  const missing = (model.missing ?? []).map(unjudged);
  missing.forEach(add);
  const made = { ...model, missing, cells: new Map() };
  for (const [id, items] of cells) {
    const cell = { model: made, rule: rules.get(id), items, verdict: worst(items) };
    made.cells.set(id, cell);
    rules.get(id).cells.set(model.label, cell);
  }
  made.outcome = outcomeOf(made, report);
  return made;
}

function unjudged(name) {
  const [area, number, ...rest] = name.split("-");
  const rule = `${area}-${number}`;
  return { name, rule, area, level: "", form: rest[0], situation: rest.join("-"), verdict: "no verdict", seconds: 0 };
}

// Nothing that a document says of itself makes a pass of a run of which something is missing.
function outcomeOf(model, report) {
  const whole = report.complete && model.outcome !== "incomplete" && model.items.length >= model.chosen;
  if (!whole || !model.items.length) return "incomplete";
  return model.items.some((item) => RED.includes(item.verdict)) ? "failed" : model.outcome;
}

const worstOutcome = (outcomes) => ["incomplete", "failed"].find((each) => outcomes.includes(each)) ?? "passed";

function verdictOf(name) {
  return VERDICT.get(name) ?? { name, sign: "?", style: "missing", meaning: "", rank: 0 };
}

function worst(items) {
  return items.map((item) => verdictOf(item.verdict)).reduce((one, other) => (other.rank < one.rank ? other : one));
}

// What the search looks through: the rule, and the words of what does not hold.
function foundIn(rule) {
  const words = [rule.id, rule.statement, rule.hint ?? ""];
  for (const cell of rule.cells.values()) {
    for (const item of cell.items) {
      if (item.verdict !== "passed") words.push(item.situation, item.observed ?? "", item.because ?? "", item.reason ?? "");
    }
  }
  return words.join("\n").toLowerCase();
}

// Of the rules of a level that were judged on a model, how many hold.
function kept(model, level) {
  let holding = 0;
  let judged = 0;
  for (const cell of model.cells.values()) {
    const items = cell.items.filter((item) => item.level === level && !["not applicable", "blocked"].includes(item.verdict));
    if (!items.length) continue;
    judged += 1;
    holding += items.every((item) => item.verdict === "passed") ? 1 : 0;
  }
  return { holding, judged };
}

function seconds(value) {
  if (value >= 1) return `${value.toFixed(2)} s`;
  return `${(value * 1000).toFixed(value < 0.01 ? 2 : 1)} ms`;
}
