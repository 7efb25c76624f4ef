// What the pages do when scripts run; without them everything still works, by loading the page anew.
"use strict";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/* Moments, in the reader's own time */

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

function span(milliseconds) {
  const size = Math.abs(milliseconds);
  if (size < MINUTE) return `${Math.floor(size / SECOND)} s`;
  if (size < HOUR) return `${Math.floor(size / MINUTE)} min`;
  if (size < DAY) {
    const minutes = Math.floor((size % HOUR) / MINUTE);
    return `${Math.floor(size / HOUR)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  return `${Math.floor(size / DAY)} d`;
}

function wording(time, now) {
  const at = new Date(time.dateTime);
  const today = at.toDateString() === now.toDateString();
  const plain = today ? clock.format(at) : `${calendar.format(at)}, ${clock.format(at)}`;
  if (time.dataset.how === "time") return clock.format(at);
  if (time.dataset.how === "moment") return plain;
  if (time.dataset.how === "left") {
    return at > now ? `${plain}, in ${span(at - now)}` : `${plain}, which is over`;
  }
  const passed = now - at;
  if (passed < 5 * SECOND) return "just now";
  return passed < 7 * DAY ? `${span(passed)} ago` : plain;
}

function tell_time(root) {
  const now = new Date();
  for (const time of root.querySelectorAll("time[data-how]")) {
    const words = wording(time, now);
    if (time.textContent !== words) time.textContent = words;
  }
}

/* A page that shows what is so now */

const live = document.getElementById("live");
let loading = false;
let again = false;

function kept() {
  const fields = new Map();
  for (const field of live.querySelectorAll("textarea[id], input[id], select[id]")) {
    fields.set(field.id, field.type === "checkbox" ? field.checked : field.value);
  }
  const open = new Map();
  for (const details of live.querySelectorAll("details[id]")) open.set(details.id, details.open);
  const focused = document.activeElement;
  const inside = live.contains(focused);
  return {
    fields,
    open,
    focus: inside ? where(focused) : null,
    selection: inside && "selectionStart" in focused ? [focused.selectionStart, focused.selectionEnd] : null,
  };
}

function where(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const form = element.closest("form");
  if (form && element.tagName === "BUTTON") {
    const value = element.value ? `[value="${CSS.escape(element.value)}"]` : "";
    return `form[action="${CSS.escape(form.getAttribute("action"))}"] button${value}`;
  }
  const target = element.getAttribute("href");
  return target ? `a[href="${CSS.escape(target)}"]` : null;
}

function restore(before) {
  for (const [id, value] of before.fields) {
    const field = document.getElementById(id);
    if (field && value) field[field.type === "checkbox" ? "checked" : "value"] = value;
  }
  for (const [id, open] of before.open) {
    const details = document.getElementById(id);
    if (details) details.open = open;
  }
  const focused = before.focus && live.querySelector(before.focus);
  if (!focused) return;
  focused.focus({ preventScroll: true });
  if (before.selection && "setSelectionRange" in focused) focused.setSelectionRange(...before.selection);
}

async function refresh() {
  if (loading) {
    again = true;
    return;
  }
  loading = true;
  try {
    const answer = await fetch(live.dataset.self, { headers: { Accept: "text/html" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") location.reload();
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The connection is away: the stream comes back by itself, and says so.
  }
  loading = false;
  if (again) {
    again = false;
    setTimeout(refresh, 150);
  }
}

function show(fresh) {
  const found = fresh.getElementById("live");
  if (!found) return;
  tell_time(found);
  const before = kept();
  const status = live.querySelector("#standing .badge")?.textContent;
  live.replaceChildren(...found.childNodes);
  document.title = fresh.title;
  restore(before);
  const now = live.querySelector("#standing .badge")?.textContent;
  if (now && now !== status) say(now);
}

/* What changed, for those who listen to the page */

const voice = document.createElement("p");
voice.setAttribute("role", "status");
voice.className = "skip";
document.body.append(voice);

function say(words) {
  voice.textContent = words;
}

let source = null;

function listen() {
  if (source || document.hidden) return;
  source = new EventSource(live.dataset.events);
  let first = true;
  source.onopen = () => {
    if (!first) refresh();
    first = false;
  };
  source.onmessage = () => refresh();
}

function rest() {
  source?.close();
  source = null;
}

if (live?.dataset.events) {
  listen();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      rest();
    } else {
      listen();
      refresh();
    }
  });
  addEventListener("pagehide", rest);
}

/* Forms */

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
});

addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  if (event.target.matches("textarea[data-sends]")) event.target.form.requestSubmit();
});

document.querySelector("form[data-goes-on]")?.requestSubmit();
tell_time(document);
setInterval(() => tell_time(document), SECOND);
