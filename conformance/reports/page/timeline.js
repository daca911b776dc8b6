// What the server wrote and what the client did, on one axis of time.

// The signs of kinds of frames are those of `mockserver inspect`.
const SIGNS = { start: "o", piece: "#", finish: "F", usage: "U", end: "E", noise: ".", error: "!" };
const DEEDS = { calls: "▷", asks: "?", "reads on": "▷", gives: "●", cancels: "X", closes: "C", answers: "■", ends: "■", raises: "!", "is closed": "c" };
const ENDS = { finished: "■", refused: "■", "closed by client": "C", "closed by fault": "X", stopped: "X" };
const APART = 15;
const ROW = 40;

// All events in order of time: when, on which side, by whom, what, and what was said.
function eventsOf(record) {
  const events = [];
  record.exchanges.forEach((exchange) => !exchange.left_out && events.push(...exchangeEvents(exchange)));
  record.calls.forEach((call, row) => !call.left_out && events.push(...callEvents(call, row)));
  const side = (event) => (event.side === "server" ? 0 : 1);
  // The sort is stable: what came at one time on one side stays in its order.
  return events.sort((one, other) => one.at - other.at || side(one) - side(other));
}

function exchangeEvents(exchange) {
  const row = exchangeRow(exchange);
  const who = `#${exchange.number}`;
  const event = (at, sign, what, said, style, means = what) => ({ at, side: "server", who, row, sign, what, said, style, means });
  const events = [event(exchange.at, "▸", "request", `${exchange.method} ${exchange.path}`, "in")];
  let before = "";
  exchange.writes.forEach((write, place, all) => {
    if (write.left_out) events.push({ ...event(between(all, place), ...gap("writes", write)), leftOut: write.left_out });
    else {
      const kind = write.kind.split("+")[0];
      const said = telling(write.bytes, before);
      before = write.bytes;
      const what = `writes ${write.size} bytes, ${write.kind}${write.cut ? ", cut in the midst" : ""}`;
      events.push(event(write.at, SIGNS[kind] ?? "?", what, said, kind === "error" ? "bad" : "sent", kind));
    }
  });
  for (const held of exchange.held ?? []) {
    if (held.left_out) continue;
    events.push(event(held.at, "G", `is held by a gate before write ${held.writes + 1}`, "", "hold", "held by a gate"));
    if (held.until !== undefined) events.push(event(held.until, "g", "the gate opens", "", "hold"));
  }
  if (exchange.ended) {
    const style = exchange.ended === "finished" ? "in" : "bad";
    events.push(event(exchange.ended_at, ENDS[exchange.ended] ?? "■", exchange.ended, exchange.reset ? "with a reset" : "", style));
  }
  return events;
}

// What is left out stands in the middle of the time in which it came.
const between = (all, place) => ((all[place - 1]?.at ?? 0) + (all[place + 1]?.at ?? all[place - 1]?.at ?? 0)) / 2;
const gap = (what, { left_out: count }) => ["…", `${count} more ${what}, left out`, "", "gap", "left out"];

// How many characters two texts begin with alike, back to where a member or a value of JSON begins.
function alike(text, before) {
  let same = 0;
  while (same < text.length && text[same] === before[same]) same += 1;
  return Math.max(0, text.slice(0, same).search(/[{,[ ]"?[^{,[ ]*$/));
}

// What a write says that the one before it did not, in a few words.
function telling(text, before) {
  const same = alike(text, before);
  return shortened(same > 12 ? `…${text.slice(same)}` : text, 100);
}

const shortened = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

function callEvents(call, number) {
  const row = `call ${number}`;
  const event = (at, sign, what, said, style, means = what) => ({ at, side: "client", who: call.name, row, sign, what, said, style, means });
  return call.steps.map((step, place, all) => {
    if (step.left_out) return { ...event(between(all, place), ...gap("steps", step)), leftOut: step.left_out };
    const style = { raises: "bad", cancels: "hold", closes: "hold", gives: "got" }[step.what] ?? "in";
    return event(step.at, DEEDS[step.what] ?? "•", step.what, step.said, style, step.what === "gives" ? "gives a chunk" : step.what);
  });
}

const isNarrow = () => byId("main").clientWidth < 700;

// Where events stand on the axis, in order: true to time, or (where marks would hide each other) each with room of its
// own, so that long waits look shorter than they were.
function axisOf(events, decided, isTrue) {
  const room = Math.max(200, byId("main").clientWidth - (isNarrow() ? 186 : 270));
  const length = Math.max(decided, events.at(-1)?.at ?? 0);
  const steps = [...events.map((event) => ({ at: event.at, row: event.row })), { at: length, row: null }];
  let places = steps.map((step) => (step.at / (length || 1)) * room);
  if (!isTrue) {
    const gaps = steps.map((step, place) => Math.sqrt(place ? step.at - steps[place - 1].at : step.at));
    const spare = Math.max(120, room - steps.length * APART) / (gaps.reduce((one, other) => one + other, 0) || 1);
    let x = 0;
    let taken = new Set();
    places = steps.map((step, place) => {
      if (place && (gaps[place] > 0 || taken.has(step.row))) {
        x += APART + spare * gaps[place];
        taken = new Set();
      }
      taken.add(step.row);
      return x;
    });
  }
  const after = (at) => steps.findIndex((step) => step.at >= at - 1e-9);
  const x = (at) => (isTrue ? (at / (length || 1)) * room : places[after(at)] ?? places.at(-1));
  return { places, times: steps.map((step) => step.at), x, width: places.at(-1), length };
}

function isCrowded(events, decided) {
  const { places } = axisOf(events, decided, true);
  const last = new Map();
  return events.some((event, place) => {
    const before = last.get(event.row) ?? -Infinity;
    last.set(event.row, places[place]);
    return places[place] - before < APART - 2;
  });
}

function drawn(record, item) {
  const box = el("div", { class: "drawn" });
  const events = eventsOf(record);
  const draw = (isTrue) => {
    box.replaceChildren(scrolling(`Timeline of ${item.name}`, drawTimeline(record, events, isTrue, item)));
  };
  const crowded = isCrowded(events, record.seconds);
  draw(!crowded);
  const scale = (text, isTrue, isOn) => [
    el("label", { class: "toggle" }, el("input", { type: "radio", name: `scale-${item.name}`, checked: isOn, on: { change: () => draw(isTrue) } }), text),
  ];
  return el(
    "div",
    { class: "timeline" },
    el("fieldset", { class: "scale" }, el("legend", { class: "unseen" }, "Axis of time"), scale("true to time", true, !crowded), scale("room for each event", false, crowded)),
    box,
    el("p", { class: "legend" }, legend(events)),
  );
}

// What the signs of these events mean, each side for itself.
function legend(events) {
  const meant = (side) => {
    const words = new Map(events.filter((event) => event.side === side).map((event) => [event.sign, event.means]));
    return [...words].map(([sign, means]) => `${sign} ${means}`).join(", ");
  };
  const told = [["Server", meant("server")], ["Client", meant("client")]].filter(([, words]) => words);
  return `${told.map(([side, words]) => `${side}: ${words}. `).join("")}Dashed line: the rule is decided.`;
}

function drawTimeline(record, events, isTrue, item) {
  const left = isNarrow() ? 84 : 128;
  const axis = axisOf(events, record.seconds, isTrue);
  const x = (at) => left + 12 + axis.x(at);
  const rows = [...new Set(events.map((event) => event.row))].sort((one, other) => rank(one) - rank(other));
  const names = new Map(events.map((event) => [event.row, event.side === "server" ? `server ${event.who}` : event.who]));
  const top = 26;
  const y = (row) => top + rows.indexOf(row) * ROW + ROW / 2;
  const width = left + axis.width + 40;
  const height = top + rows.length * ROW + 34;
  const count = (side) => events.filter((event) => event.side === side && !event.leftOut).length;
  const summary = `${count("server")} events of the server and ${count("client")} of the client in ${seconds(axis.length)}; the table below tells the same.`;
  const title = `timeline-${item.name}`;
  const decided = record.seconds < axis.length ? x(record.seconds) : left + 12 + axis.width;
  return svg(
    "svg",
    { class: "time", viewBox: `0 0 ${width.toFixed(0)} ${height}`, width: width.toFixed(0), height, role: "img", "aria-labelledby": title },
    svg("title", { id: title }, `Timeline of ${item.name}: ${summary}`),
    rows.map((row) => lane(row, shortened(names.get(row), isNarrow() ? 10 : 16), left, width, y(row))),
    ticks(axis, left + 12, height, isTrue),
    svg("line", { class: "decided", x1: decided, x2: decided, y1: top - 8, y2: height - 30 }),
    svg("text", { class: "tick", x: decided, y: top - 12, "text-anchor": "end" }, "decided"),
    record.exchanges.filter((exchange) => !exchange.left_out).flatMap((exchange) => bars(exchange, record.seconds, x, y(exchangeRow(exchange)))),
    events.map((event, place) => mark(event, left + 12 + axis.places[place], y(event.row))),
  );
}

const exchangeRow = (exchange) => `exchange ${exchange.number}`;
const rank = (row) => (row.startsWith("exchange") ? 0 : 1000) + Number(row.split(" ")[1]);

function lane(row, name, left, width, y) {
  const side = row.startsWith("exchange") ? "server" : "client";
  return svg(
    "g",
    { class: `lane ${side}` },
    svg("rect", { x: 0, y: y - ROW / 2 + 2, width, height: ROW - 4, rx: 4 }),
    svg("text", { x: 8, y: y + 4 }, name),
    svg("line", { x1: left, x2: width - 8, y1: y, y2: y }),
  );
}

// How long an exchange was open, and for how long a gate held it.
function bars(exchange, decided, x, y) {
  const end = (at) => x(at ?? decided);
  const from = x(exchange.at);
  const open = svg("rect", { class: "open", x: from, y: y - 3, width: Math.max(1, end(exchange.ended_at) - from), height: 6 });
  const gates = (exchange.held ?? [])
    .filter((held) => !held.left_out)
    .map((held) => svg("rect", { class: "held", x: x(held.at), y: y - 9, width: Math.max(2, end(held.until) - x(held.at)), height: 18 }));
  return [open, ...gates];
}

function mark(event, x, y) {
  const told = `${seconds(event.at)} ${event.who} ${event.what}${event.said ? ` ${event.said}` : ""}`;
  return svg(
    "g",
    { class: `mark m-${event.style}` },
    svg("title", {}, told),
    svg("circle", { cx: x, cy: y, r: 7 }),
    svg("text", { x, y: y + 4, "text-anchor": "middle" }, event.sign),
  );
}

function ticks(axis, left, height, isTrue) {
  const times = isTrue ? evenTimes(axis.length) : axis.times;
  let last = -Infinity;
  const drawn = [];
  times.forEach((at, number) => {
    const place = left + (isTrue ? axis.x(at) : axis.places[number]);
    if (place - last < 62) return;
    last = place;
    drawn.push(svg("line", { class: "grid", x1: place, x2: place, y1: 22, y2: height - 28 }), svg("text", { class: "tick", x: place, y: height - 12, "text-anchor": "middle" }, seconds(at)));
  });
  return drawn;
}

function evenTimes(length) {
  const step = [1, 2, 5, 10].map((each) => each * 10 ** Math.floor(Math.log10(length / 5 || 1))).find((each) => length / each <= 8) ?? length;
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, place) => place * step);
}
