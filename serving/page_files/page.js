// The page to try a prediction: a form made of a problem's contract, and the answer as words and bars.
// What is checked here is a hint; the server decides. Nothing leaves for another host, and the key stays in this tab.
"use strict";

const KEY = "millrace-api-key";
const WARNINGS = { outside_training_range: "is outside the range of the training rows", unseen_category: "is a category that no training row had" };
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const $ = (id) => document.getElementById(id);
let shown = null; // The facts and the example of the problem on the form.
let turn = 0; // An answer that comes after another was asked for is dropped.

const isNumber = (column) => column.type === "integer" || column.type === "number";
const choices = (column) => column.allowed ?? (column.type === "boolean" ? [true, false] : null);
const GROUPS = [["Measures", (c) => isNumber(c) && !choices(c)], ["Choices", choices], ["Texts and times", () => true]];

function make(tag, attributes = {}, ...children) {
  const drawn = ["svg", "rect", "line"].includes(tag);
  const element = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

async function ask(path, body) {
  const headers = { Accept: "application/json" };
  const key = sessionStorage.getItem(KEY);
  if (key) headers["X-API-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer, told;
  try {
    answer = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body });
    told = await answer.json();
  } catch {
    told = { title: "The replica does not answer", found: answer ? `HTTP ${answer.status}, no JSON` : "no answer", expected: "JSON", fix: "look whether it runs (make status), then send again" };
  }
  if (answer?.ok && told.fix === undefined) return told;
  throw Object.assign(new Error(told.title), { told, status: answer?.status });
}

// --- the form -------------------------------------------------------------------------------------------------------

async function begin() {
  const mine = ++turn;
  try {
    const { models } = await ask("v1/models");
    if (mine !== turn) return;
    settle();
    $("nothing").hidden = models.length > 0;
    $("asking").hidden = models.length === 0;
    const names = models.map((model) => model.problem).sort();
    $("problem").replaceChildren(...names.map((name) => make("option", { value: name }, name)));
    const wanted = decodeURIComponent(location.hash.slice(1));
    if (names.includes(wanted)) $("problem").value = wanted;
    if (names.length) await choose();
  } catch (error) {
    complain(error);
  }
}

async function choose() {
  const mine = ++turn, path = `v1/models/${encodeURIComponent($("problem").value)}`;
  $("result").replaceChildren();
  try {
    const [facts, schema] = await Promise.all([ask(path), ask(`${path}/schema`)]);
    if (mine !== turn) return;
    settle();
    shown = { facts, path, example: schema.examples?.[0] ?? {} };
    history.replaceState(null, "", `#${encodeURIComponent($("problem").value)}`);
    $("about").textContent = [facts.title, facts.description].filter(Boolean).join(": ");
    $("rules").textContent = facts.rules.map((rule) => `${rule.left} ${rule.operator} ${rule.right}`).join("; ");
    if (facts.rules.length) $("rules").prepend("Must hold: ");
    const left = new Map(Object.entries(facts.columns));
    const sets = GROUPS.map(([title, belongs]) => {
      const own = [...left].filter(([, column]) => belongs(column));
      own.forEach(([name]) => left.delete(name));
      const fields = make("div", { class: "fields" }, ...own.map(([name, column]) => field(name, column)));
      return own.length ? make("fieldset", {}, make("legend", {}, title), fields) : null;
    });
    $("fields").replaceChildren(...sets.filter(Boolean));
    fill(shown.example);
  } catch (error) {
    if (mine === turn) complain(error);
  }
}

function field(name, column) {
  const id = `field-${name}`, about = { id, name, "aria-describedby": `${id}-unit ${id}-fault ${id}-note`, "aria-required": String(!column.nullable) };
  const one = choices(column)
    ? make("select", about, make("option", { value: "" }, column.nullable ? "no value" : "choose"), ...choices(column).map((value) => make("option", { value: JSON.stringify(value) }, String(value))))
    : make("input", { ...about, type: "text", autocomplete: "off", spellcheck: "false", inputmode: isNumber(column) ? "decimal" : "text" });
  one.addEventListener("input", () => { unfault(one); hint(one, column); });
  const label = make("label", { for: id }, name);
  const entry = make("div", { class: "entry" }, one, column.unit ? make("span", { id: `${id}-unit` }, column.unit) : "");
  const below = make("p", { class: "note" }, make("span", { id: `${id}-fault`, class: "fault" }), make("span", { id: `${id}-note` }));
  return make("div", { class: "field" }, label, entry, below);
}

function takes(column) {
  const { min, max, pattern, type } = column;
  const range = min === undefined && max === undefined ? "" : min === undefined ? `at most ${max}` : max === undefined ? `at least ${min}` : `${min} to ${max}`;
  const kind = choices(column) ? "" : { integer: "whole number", number: "number", string: pattern ? `text like ${pattern}` : "text", timestamp: "time such as 2026-01-31T10:20:30Z" }[type];
  return [column.description, [kind, range].filter(Boolean).join(" "), column.nullable ? "may be empty" : ""].filter(Boolean).join(" · ");
}

function doubt(column, text) {
  if (text === "") return column.nullable ? "" : "a value is needed";
  if (!isNumber(column) || choices(column)) return "";
  const value = Number(text);
  if (!Number.isFinite(value)) return "not a number";
  if (column.type === "integer" && !Number.isInteger(value)) return "not a whole number";
  return value < (column.min ?? -Infinity) || value > (column.max ?? Infinity) ? "outside the range" : "";
}

function hint(one, column) {
  const found = doubt(column, one.value.trim());
  note(one, found ? `${found}: ${takes(column)}` : takes(column), found !== "");
}

function note(one, words, doubtful) {
  const told = $(`${one.id}-note`);
  told.classList.toggle("doubt", doubtful);
  told.textContent = words;
}

function fill(row) {
  for (const [name, column] of Object.entries(shown.facts.columns)) {
    const one = $(`field-${name}`), value = row[name];
    one.value = value === null || value === undefined ? "" : choices(column) ? JSON.stringify(value) : String(value);
    unfault(one);
    // An empty form is no mistake yet: what a field takes is told, not what it lacks.
    if (one.value) hint(one, column); else note(one, takes(column), false);
  }
  settle();
}

// The JSON of one value, null for the empty field of a column that allows it. What is no number goes as the text it is,
// for the server to say what is wrong; digits go as they are, for a number of JavaScript has only 15 of them.
function said(column, text) {
  if (text.trim() === "") return column.nullable ? "null" : undefined;
  if (choices(column)) return text;
  if (!isNumber(column)) return JSON.stringify(text);
  const number = text.trim();
  return JSON_NUMBER.test(number) ? number : /^[+.\d]/.test(number) && Number.isFinite(Number(number)) ? String(Number(number)) : JSON.stringify(text);
}

function body() {
  const pairs = Object.entries(shown.facts.columns).map(([name, column]) => [name, said(column, $(`field-${name}`).value)]);
  return `{${pairs.filter(([, value]) => value !== undefined).map(([name, value]) => `${JSON.stringify(name)}: ${value}`).join(", ")}}`;
}

async function predict(event) {
  event.preventDefault();
  const mine = ++turn, button = $("row").querySelector("button.main"), sent = body();
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await ask(`${shown.path}/predict`, sent);
    if (mine !== turn) return;
    settle();
    $("result").replaceChildren(...result(answer, sent));
    $("result").scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (mine === turn) complain(error);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

// --- what was refused -----------------------------------------------------------------------------------------------

function settle() {
  $("trouble").replaceChildren();
  document.querySelectorAll('[aria-invalid="true"]').forEach(unfault);
}

function unfault(one) {
  one.removeAttribute("aria-invalid");
  $(`${one.id}-fault`).textContent = "";
}

function complain({ message, told, status }) {
  settle();
  $("result").replaceChildren();
  const errors = told?.errors ?? [], words = (fault) => `found ${fault.found}, expected ${fault.expected}`;
  const lines = errors.map((fault) => {
    const one = fault.column && $(`field-${fault.column}`);
    if (!one) return make("li", {}, words(fault));
    one.setAttribute("aria-invalid", "true");
    $(`${one.id}-fault`).textContent += `${$(`${one.id}-fault`).textContent ? "; " : ""}${words(fault)}`;
    return make("li", {}, make("a", { href: `#field-${fault.column}`, "data-field": one.id }, fault.column), `: ${words(fault)}`);
  });
  const why = errors.length || !told?.found ? "" : make("p", {}, words(told));
  $("trouble").append(make("strong", {}, told?.title ?? message), why, lines.length ? make("ul", {}, ...lines) : "", told?.fix ? make("p", { class: "note" }, told.fix) : "");
  if (status === 401) {
    openKey(true);
  } else {
    (document.querySelector('[aria-invalid="true"]') ?? $("trouble")).focus();
  }
}

// --- the answer -----------------------------------------------------------------------------------------------------

function percent(share) {
  if (share > 0 && share < 0.001) return "below 0.1 %";
  return share < 1 && share > 0.999 ? "above 99.9 %" : `${+(100 * share).toFixed(1)} %`;
}

function yes({ column, positive, event, within }) {
  return event ? `${event.column} ${event.any_of.join(" or ")} within ${within}` : `${column} = ${positive}`;
}

function result(answer, sent) {
  const { facts, path } = shown;
  const reached = answer.decision ? "reaches" : "below";
  const words = `${answer.risk_category} risk · ${answer.decision ? "yes" : "no"}: ${reached} the threshold of ${percent(facts.threshold)}`;
  const curl = `curl -X POST '${new URL(`${path}/predict`, location.href).href.split("#")[0]}' \\\n  -H 'Content-Type: application/json' -H "X-API-Key: $MILLRACE_API_KEY" \\\n  -d '${sent.replaceAll("'", "'\\''")}'`;
  const by = answer.decided_by === "model" ? "" : make("p", { class: "warning" }, `Decided by the rule ${answer.decided_by}, not by the model. ${answer.reason ?? ""}`);
  const warnings = answer.warnings.map((one) => make("p", { class: "warning" }, `${one.name} = ${one.value} ${WARNINGS[one.kind] ?? one.kind}: ${one.expected}`));
  const id = make("code", {}, answer.prediction_id), command = make("pre", { tabindex: "0", "aria-label": "The same as a command" }, curl);
  return [
    make("div", { class: "card" },
      make("h2", {}, `Probability of ${yes(facts.label)}`),
      make("p", { class: "probability" }, percent(answer.probability)), make("p", { class: "category" }, words),
      gauge(answer, facts), by, ...warnings),
    answer.contributing_factors.length ? factors(answer.contributing_factors) : "",
    make("div", { class: "card" },
      make("dl", {}, pair("Prediction", id, copy(id, "the prediction id")), pair("Model", `${facts.model.problem} version ${answer.model_version}`), pair("Unrounded", String(answer.probability))),
      make("details", {}, make("summary", {}, "The same with curl"), command, copy(command, "the command"))),
  ].filter(Boolean);
}

const pair = (name, ...values) => make("div", {}, make("dt", {}, name), make("dd", {}, ...values));

function gauge({ probability, risk_category }, { threshold, risk_bands }) {
  const names = make("ol", { class: "bands", "aria-hidden": "true" });
  const svg = make("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" }, make("rect", { width: 1000, height: 10 }), make("rect", { class: "reached", width: 1000 * probability, height: 10 }));
  const widths = risk_bands.map((band, n) => band.below - (n ? risk_bands[n - 1].below : 0));
  risk_bands.forEach(({ name, below }) => {
    if (below < 1) svg.append(make("line", { class: "border", x1: 1000 * below, x2: 1000 * below, y1: 0, y2: 10 }));
    const here = name === risk_category;
    names.append(make("li", { class: here ? "here" : null }, here || widths[names.childElementCount] > 0.1 ? name : ""));
  });
  svg.append(make("line", { class: "threshold", x1: 1000 * threshold, x2: 1000 * threshold, y1: 0, y2: 10 }));
  names.style.gridTemplateColumns = widths.map((width) => `minmax(0, ${width}fr)`).join(" ");
  const told = risk_bands.map(({ name, below }) => `${name} below ${percent(below)}`).join(", ");
  return make("div", { class: "gauge", role: "img", "aria-label": `${percent(probability)} on a scale from 0 to 100 %: ${told}` }, svg, names, make("p", { class: "note" }, `Dashed: the threshold. Risk: ${told}.`));
}

function factors(told) {
  const most = Math.max(...told.map((one) => Math.abs(one.contribution)));
  const bars = told.map(({ name, value, contribution }) => {
    const up = contribution > 0, width = (100 * Math.abs(contribution)) / most;
    const svg = make("svg", { viewBox: "-100 0 200 10", preserveAspectRatio: "none", "aria-hidden": "true" }, make("rect", { class: up ? "up" : "down", x: up ? 0 : -width, y: 1, width, height: 8 }), make("line", { class: "axis", x1: 0, x2: 0, y1: 0, y2: 10 }));
    const share = `${up ? "+" : "−"}${Math.abs(contribution).toFixed(2)} ${up ? "raises" : "lowers"}`;
    return make("li", {}, make("span", { class: "name" }, make("b", {}, name), ` = ${value === null ? "no value" : value}`), svg, make("span", { class: "share" }, share));
  });
  const scale = make("p", { class: "note" }, "In log-odds, strongest first: to the left it lowers the probability, to the right it raises it.");
  return make("div", { class: "card" }, make("h2", {}, "What moved it most"), make("ol", { class: "factors" }, ...bars), scale);
}

function copy(source, what) {
  const button = make("button", { type: "button", class: "copy", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch { // Not allowed, or not over HTTPS: then it is selected, for the keyboard's own way.
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: press Ctrl+C";
    }
  });
  return button;
}

// --- the key --------------------------------------------------------------------------------------------------------

function openKey(open) {
  $("key-form").hidden = !open;
  $("key-button").setAttribute("aria-expanded", String(open));
  if (open) $("key").focus();
}

$("key-button").addEventListener("click", () => openKey($("key-form").hidden));
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = $("key").value.trim();
  if (key) sessionStorage.setItem(KEY, key); else sessionStorage.removeItem(KEY);
  openKey(false);
  settle();
  if (shown) $("row").querySelector("button.main").focus();
  else begin();
});
$("trouble").addEventListener("click", (event) => {
  const one = event.target.dataset.field && $(event.target.dataset.field);
  if (one) { event.preventDefault(); one.focus(); }
});
$("row").addEventListener("submit", predict);
$("example").addEventListener("click", () => fill(shown.example));
$("empty").addEventListener("click", () => fill({}));
$("problem").addEventListener("change", choose);
$("look-again").addEventListener("click", begin);
$("key").value = sessionStorage.getItem(KEY) ?? "";
begin();
