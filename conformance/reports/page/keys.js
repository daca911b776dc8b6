// The keyboard: from rule to rule and from cell to cell, and the theme.

const THEMES = ["system", "light", "dark"];

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = `Theme: ${name}`;
  try {
    localStorage.setItem("conformance-theme", name);
  } catch {
    // A page of a file may have no place to keep it in.
  }
}

function savedTheme() {
  try {
    const saved = localStorage.getItem("conformance-theme");
    return THEMES.includes(saved) ? saved : "system";
  } catch {
    return "system";
  }
}

const nextTheme = () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);

const seenRows = () => [...document.querySelectorAll("#matrix tbody tr[data-rule]")].filter((row) => !row.hidden && !row.parentElement.hidden);
const linkIn = (row, column) => (row.children[column]?.hidden ? null : row.children[column]?.querySelector("a"));

// Moves the focus within the matrix, over what has no cell; from elsewhere, to its first cell.
function move(down, right) {
  const rows = seenRows();
  const from = document.activeElement?.closest?.("#matrix tr[data-rule] > *");
  let row = rows.indexOf(from?.parentElement);
  let column = from?.cellIndex ?? 0;
  const step = row < 0 ? [0, 1] : [down, right];
  if (row < 0) [row, column] = [0, 0];
  let link = null;
  while (!link) {
    row += step[0];
    column += step[1];
    if (!rows[row]?.children[column]) return false;
    link = linkIn(rows[row], column);
  }
  link.focus();
  link.scrollIntoView({ block: "nearest", inline: "nearest" });
  return true;
}

const ARROWS = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };
const LETTERS = { j: [1, 0], k: [-1, 0], l: [0, 1], h: [0, -1] };

function hearKeys(event, place) {
  if (event.ctrlKey || event.altKey || event.metaKey || byId("keys").open) return;
  const isTyping = event.target.matches("input:not([type=checkbox], [type=radio]), select, textarea");
  if (event.key === "Escape") return leave(event, isTyping, place);
  if (isTyping) return;
  if (event.key === "/" || event.key === "?" || event.key === "t") {
    event.preventDefault();
    return { "/": goSearch, "?": showKeys, t: nextTheme }[event.key]();
  }
  const step = LETTERS[event.key] ?? (event.target.closest("#matrix") ? ARROWS[event.key] : undefined);
  if (!step) return;
  if (byId("matrix") ? move(...step) : place.cell && event.key in LETTERS && place.step(...step)) event.preventDefault();
}

function leave(event, isTyping, place) {
  if (isTyping && event.target.id === "search" && event.target.value) {
    event.target.value = "";
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  } else if (isTyping) event.target.blur();
  else if (!byId("matrix")) location.hash = wayToMatrix();
}

function goSearch() {
  if (!byId("search")) {
    location.hash = wayToMatrix();
    addEventListener("hashchange", () => byId("search")?.focus(), { once: true });
  }
  byId("search")?.focus();
}

const showKeys = () => byId("keys").showModal();
