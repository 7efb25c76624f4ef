// The page: which place is shown, as whom, and what is drawn anew when something changes.

import { composer } from "./composer.js";
import { APP, showModal } from "./dialogs.js";
import { blocks } from "./blocks.js";
import { h, icon, reconcile, toast } from "./dom.js";
import { avatar, showMessages } from "./messages.js";
import { showMail } from "./mail.js";
import { act, isReply, names, start, state, trouble } from "./state.js";

const $ = (id) => document.getElementById(id);
const HASH = "M7.5 3L6 17M14 3l-1.5 14M3.5 7.5h14M2.5 12.5h14";
const MAIL = "M3 5h14v10H3zM3 6l7 5 7-5";
const HOUSE = "M3 9l7-6 7 6v8h-5v-5H8v5H3z";
const OUT = "M8 4H4v12h12v-4M11 3h6v6M17 3l-8 8";

const place = { kind: "channel", id: null, thread: null, editing: null };
const main = composer($("composer"), "composer");
const aside = composer($("thread-composer"), "thread-composer");
names.everybody = () => [...state.people.values()];

async function begin() {
  const query = new URLSearchParams(location.search);
  const team = await (await fetch("/_people")).json();
  document.title = team.team;
  if (team.people.length === 0) return toast("Nobody is in this workspace. Give it people at start.", true);
  await become(query.get("as") ?? remembered() ?? team.people[0].id, query);
}

async function become(person, query = new URLSearchParams()) {
  try {
    await start(person, changed);
  } catch (error) {
    toast(error.message, true);
    return;
  }
  try { sessionStorage.setItem("as", state.me); } catch { /* private windows may refuse it */ }
  const [, linked, stamp] = location.pathname.match(/^\/archives\/(\w+)\/p(\d+)$/) ?? [];
  const known = [query.get("in"), linked, place.id].find((id) => state.channels.has(id));
  if (place.kind === "channel") place.id = known ?? [...state.channels.keys()][0];
  if (query.get("thread_ts")) place.thread = query.get("thread_ts");
  if (place.thread && !state.messages.get(place.id)?.has(place.thread)) place.thread = null;
  place.editing = null;
  draw();
  for (const id of ["log", "thread-log"]) $(id).scrollTop = $(id).scrollHeight;
  if (stamp) flash(`${stamp.slice(0, -6)}.${stamp.slice(-6)}`);
}

function remembered() {
  try { return sessionStorage.getItem("as"); } catch { return null; }
}

function flash(ts) {
  const message = document.getElementById(`m-${ts}`);
  message?.scrollIntoView({ block: "center" });
  message?.classList.add("flash");
}

function changed(kind, body, fresh) {
  if (kind === "online") return document.body.classList.toggle("offline", !body);
  if (kind === "reset") return become(state.me);
  if (kind === "message" && fresh && body.user !== state.me) noteUnread(body);
  if (kind === "mail" && place.kind !== "mail") count("mail");
  soon();
}

let waiting = false;

// Many changes within one frame are drawn once; a hidden tab has no frames and draws at once.
function soon() {
  if (document.hidden) return draw();
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}

function noteUnread(message) {
  const here = place.kind === "channel" && place.id === message.channel;
  if (!here && !isReply(message)) count(message.channel);
}

function count(id) {
  state.unread.set(id, (state.unread.get(id) ?? 0) + 1);
}

function go(kind, id = null) {
  Object.assign(place, { kind, id: id ?? place.id, thread: null, editing: null });
  state.unread.delete(kind === "mail" ? "mail" : id);
  history.replaceState(null, "", "/");
  menu(false);
  draw();
  $("log").scrollTop = $("log").scrollHeight;
  if (kind === "home") act("open_home", {}).catch((error) => toast(error.message, true));
}

const does = {
  get editing() { return place.editing; },
  openThread(ts) { place.thread = ts; draw(); $("thread-log").scrollTop = $("thread-log").scrollHeight; aside.focus(); },
  edit(ts) { place.editing = ts; draw(); },
};

function draw() {
  $("team").textContent = state.team;
  top();
  sidebar();
  const channel = place.kind === "channel" ? state.channels.get(place.id) : null;
  $("log").hidden = $("composer").hidden = channel === null;
  $("page").hidden = channel !== null;
  if (channel) {
    title(channel);
    sticking($("log"), () => showMessages($("log"), place.id, null, does));
    $("log").classList.toggle("empty", $("log").childElementCount === 0);
    const first = channel.id === state.channels.keys().next().value;
    main.aim({ channel: place.id, thread: null }, `Message ${called(channel)}`, first ? state.suggestions : []);
  } else if (place.kind === "mail") {
    heading("Mail", "To and from the people of this workspace");
    $("page").className = "page mail";
    showMail($("page"));
  } else home();
  thread(channel);
  showModal(names);
}

function thread(channel) {
  const open = channel !== null && place.thread !== null;
  $("thread").hidden = !open;
  document.body.classList.toggle("with-thread", open);
  if (!open) return;
  $("thread-where").textContent = called(channel);
  sticking($("thread-log"), () => showMessages($("thread-log"), place.id, place.thread, does));
  aside.aim({ channel: place.id, thread: place.thread }, "Reply…");
}

// A list that stood at its end stays there; one that was scrolled up says that there is more.
function sticking(log, show) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const before = log.lastElementChild?.dataset.key;
  show();
  const grew = before !== undefined && log.lastElementChild?.dataset.key > before;
  if (atEnd) log.scrollTop = log.scrollHeight;
  else if (grew && log.id === "log") $("newer").hidden = false;
}

function top() {
  reconcile($("links"), state.links.map((link) => ({
    key: link.text, sign: link.url, build: () => h("a", { href: link.url, target: "_blank", rel: "noopener noreferrer" }, link.text, icon(OUT)),
  })));
  const people = [...state.people.values()].filter((person) => !person.is_bot);
  reconcile($("people"), people.map((person) => ({
    key: person.id,
    sign: String(person.id === state.me),
    build: () => h("button", {
      class: "person", role: "radio", "aria-checked": String(person.id === state.me), tabindex: person.id === state.me ? 0 : -1,
      title: `You are ${person.real_name}`, "aria-label": person.real_name, onclick: () => become(person.id).then(() => focusPerson()),
    }, avatar(person, "small"), h("span", {}, person.real_name.split(" ")[0])),
  })));
}

function focusPerson() {
  $("people").querySelector("[aria-checked=true]")?.focus();
}

function sidebar() {
  const row = (key, path, label, on, pick) => {
    const unread = on ? 0 : state.unread.get(key) ?? 0;
    return {
      key, sign: JSON.stringify([label, on, unread, state.me]),
      build: () => h("button", { class: unread ? "room unread" : "room", "aria-current": on ? "page" : undefined, onclick: pick },
        icon(path), h("span", {}, label), unread ? h("span", { class: "count", "aria-label": `${unread} new` }, String(unread)) : null),
    };
  };
  const rule = (label) => ({ key: `rule-${label}`, sign: label, build: () => h("h2", {}, label) });
  const at = (kind, id) => place.kind === kind && (id === undefined || place.id === id);
  const rooms = [...state.channels.values()];
  const bot = state.people.get(state.bot);
  const lock = "M6 9V6a4 4 0 0 1 8 0v3M4 9h12v8H4z";
  reconcile($("sidebar"), [
    rule("Channels"),
    ...rooms.filter((room) => room.kind !== "im").map((room) => row(room.id, room.kind === "group" ? lock : HASH, room.name, at("channel", room.id), () => go("channel", room.id))),
    rule("Direct messages"),
    ...rooms.filter((room) => room.kind === "im").map((room) => row(room.id, APP, bot.name, at("channel", room.id), () => go("channel", room.id))),
    rule("Apps"),
    row("home", HOUSE, `${bot.name} home`, at("home"), () => go("home")),
    row("mail", MAIL, "Mail", at("mail"), () => go("mail")),
    // On a phone the bar has no room for them.
    ...state.links.map((link) => ({
      key: `away-${link.text}`, sign: link.url,
      build: () => h("a", { class: "room away", href: link.url, target: "_blank", rel: "noopener noreferrer" }, icon(OUT), h("span", {}, link.text)),
    })),
  ]);
}

function called(channel) {
  return channel.kind === "im" ? state.people.get(state.bot).name : `#${channel.name}`;
}

function title(channel) {
  const people = channel.members.length;
  heading(called(channel), channel.topic || (channel.kind === "im" ? "Only you and the app are here" : ""), channel.kind === "im" ? null
    : h("span", { class: "count-people", title: `${people} members` },
      h("span", { class: "faces" }, channel.members.slice(0, 3).map((id) => avatar(state.people.get(id), "tiny"))), String(people)));
}

function heading(words, topic, more = null) {
  $("place").replaceChildren(h("div", {}, h("h1", {}, words), h("p", { class: "topic" }, topic)), ...(more ? [more] : []));
}

function home() {
  const bot = state.people.get(state.bot);
  const view = state.views.home;
  heading(`${bot.name} home`, "What the app shows you alone");
  $("page").className = "page home";
  const use = async (action, block, value, values) => {
    const words = trouble(await act("click", { view_id: view.id, action_id: action, block_id: block, value, values }));
    if (words) toast(words, true);
  };
  reconcile($("page"), [view
    ? { key: "home", sign: view.hash, build: () => h("div", { class: "blocks" }, blocks(view.blocks, { names, use })) }
    : { key: "none", sign: "", build: () => h("div", { class: "nothing" }, h("p", {}, `${bot.name} shows nothing here yet.`)) }]);
}

function menu(open) {
  document.body.classList.toggle("menu-open", open);
  $("menu").setAttribute("aria-expanded", String(open));
  $("scrim").hidden = !open;
}

$("menu").addEventListener("click", () => menu(!document.body.classList.contains("menu-open")));
$("scrim").addEventListener("click", () => menu(false));
$("thread-close").addEventListener("click", () => { place.thread = null; draw(); main.focus(); });
$("newer").addEventListener("click", () => { $("log").scrollTop = $("log").scrollHeight; $("newer").hidden = true; });
$("log").addEventListener("scroll", () => {
  if ($("log").scrollHeight - $("log").scrollTop - $("log").clientHeight < 80) $("newer").hidden = true;
});
$("people").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = [...$("people").children];
  all[(all.findIndex((one) => one.dataset.key === state.me) + step + all.length) % all.length].click();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (document.body.classList.contains("menu-open")) menu(false);
  else if (place.thread && $("thread").contains(document.activeElement)) $("thread-close").click();
});

begin();
