// The form is made from /choices, so that it asks exactly for what the service takes.
"use strict";

const LABELS = { sched_dep_time: "Scheduled departure", date: "Date", origin: "From", dest: "To", carrier: "Airline" };
const ORDER = ["origin", "dest", "date", "sched_dep_time", "carrier"];
const START = { origin: "JFK", dest: "LAX", carrier: "AA", date: "2013-05-17", sched_dep_time: "17:45" };
const id = (name) => document.getElementById(name);
const percent = (share) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
let choices = [];
let version = {};

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function control(choice) {
  if (choice.choices) {
    const empty = choice.required ? [] : [element("option", { value: "" }, "unknown")];
    return element("select", {}, ...empty, ...choice.choices.map((value) => element("option", { value }, value)));
  }
  if (choice.kind === "number") {
    return element("input", { type: "number", step: "any", min: choice.low, max: choice.high, placeholder: "unknown" });
  }
  return element("input", { type: { date: "date", clock: "time" }[choice.kind] ?? "text" });
}

function field(choice) {
  const input = control(choice);
  Object.assign(input, { id: choice.field, name: choice.field, required: choice.required });
  input.value = START[choice.field] ?? "";
  const hint = choice.kind === "number" ? `${choice.about}, ${choice.low} to ${choice.high}` : choice.about;
  return element("label", {}, LABELS[choice.field] ?? choice.field, input, element("small", {}, hint));
}

function flight() {
  const values = {};
  for (const choice of choices) {
    const text = id(choice.field).value;
    if (text === "") continue;
    if (choice.kind === "clock") values[choice.field] = Number(text.replace(":", ""));
    else values[choice.field] = choice.kind === "number" ? Number(text) : text;
  }
  return values;
}

function complain(text, name) {
  for (const input of id("form").elements) input.removeAttribute("aria-invalid");
  id("problem").hidden = !text;
  id("problem").textContent = text;
  const input = name && id(name);
  if (!input) return;
  const details = input.closest("details");
  if (details) details.open = true;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", "problem");
  input.focus();
}

function show(prediction) {
  id("answer").className = prediction.late ? "late" : "on-time";
  id("decision").textContent = prediction.late ? "Expect a delay" : "Expect it on time";
  id("probability").textContent = percent(prediction.probability);
  id("meaning").textContent =
    `Probability of arriving late. From ${percent(version.threshold)} on, the mark, it pays to expect a delay: ` +
    "a missed one costs more than a false alarm.";
  id("bar").style.width = `${prediction.probability * 100}%`;
  id("mark").style.left = `${version.threshold * 100}%`;
  id("probability").hidden = id("scale").hidden = false;
}

async function ask(path, options) {
  const response = await fetch(path, options);
  const answer = await response.json();
  return response.ok ? answer : Promise.reject(answer);
}

function failed(problem) {
  id("answer").className = "";
  id("decision").textContent = "No answer";
  id("meaning").textContent = "The service refused this flight; the form says what is wrong.";
  id("probability").hidden = id("scale").hidden = true;
  complain(problem.error ?? "The service does not answer. Try again.", problem.field);
}

async function predict(event) {
  event.preventDefault();
  complain("");
  const button = id("form").querySelector("button");
  button.disabled = true;
  const request = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(flight()) };
  await ask("/predict", request).then(show).catch(failed);
  button.disabled = false;
}

async function start() {
  choices = await ask("/choices");
  const rank = (choice) => (ORDER.indexOf(choice.field) + 1 || ORDER.length + 1);
  for (const choice of [...choices].sort((a, b) => rank(a) - rank(b))) {
    id(choice.required ? "required" : "optional").append(field(choice));
  }
  version = await ask("/version");
  const rows = { Release: version.release, Model: version.model_digest.slice(7, 19), Estimator: version.estimator,
    Trained: `${version.trained.first} to ${version.trained.last}`, Commit: version.source_commit.slice(0, 12) };
  for (const [name, value] of Object.entries(rows)) {
    id("source").append(element("dt", {}, name), element("dd", {}, value));
  }
}

id("form").addEventListener("submit", predict);
start().catch(failed);
