// The message list: days, groups by author, threads under their parents, and what one may do with each.

import { blocks } from "./blocks.js";
import { APP } from "./dialogs.js";
import { dayOf, h, icon, inkOn, reconcile, timeOf, toast } from "./dom.js";
import { emoji, named } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";
import { act, isReply, messagesOf, names, state, trouble } from "./state.js";

const TOGETHER = 300;
const REPLY = "M8 5L3 10l5 5M3.5 10H12a5 5 0 0 1 5 5v1";
const CHECK = "M4 10.5l4 4 8-9";
const EDIT = "M4 16l1-4 8-8 3 3-8 8z";
const BIN = "M4 6h12M8 6V4h4v2M6 6l1 10h6l1-10";
const EYE = "M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5zM10 8a2 2 0 1 1 0 4 2 2 0 0 1 0-4z";

/** Show a channel (or with `thread` one thread) in `log`; `does` has openThread(ts) and editing. */
export function showMessages(log, channel, thread, does) {
  const items = [];
  let before = null;
  for (const message of messagesOf(channel, thread)) {
    if (thread === null && (before === null || dayOf(before.ts) !== dayOf(message.ts))) {
      const day = dayOf(message.ts);
      items.push({ key: `day-${day}`, sign: day, build: () => h("div", { class: "day", role: "separator" }, h("span", {}, day)) });
      before = null;
    }
    const follows = before !== null && goesWith(before, message);
    const sign = JSON.stringify([message, follows, does.editing === message.ts, state.me]);
    items.push({ key: message.ts, sign, build: () => article(message, follows, thread !== null, does) });
    before = message;
  }
  if (thread !== null && items.length > 1) {
    const words = items.length === 2 ? "1 reply" : `${items.length - 1} replies`;
    items.splice(1, 0, { key: "rule", sign: words, build: () => h("div", { class: "rule" }, h("span", {}, words)) });
  }
  reconcile(log, items);
}

/** Return a person's picture: their initials, or the mark of an app. */
export function avatar(person, size = "") {
  if (person?.is_bot) return h("span", { class: `avatar app ${size}`, "aria-hidden": "true" }, icon(APP, "app-mark"));
  const words = (person?.real_name ?? "?").split(/\s+/);
  const initials = words.length > 1 ? words[0][0] + words.at(-1)[0] : words[0].slice(0, 1);
  const face = h("span", { class: `avatar ${size}`, "aria-hidden": "true", colour: person?.colour }, initials.toUpperCase());
  face.style.setProperty("--ink", inkOn(person?.colour ?? "#5a6b80"));
  return face;
}

function goesWith(before, message) {
  return before.user === message.user && Number(message.ts) - Number(before.ts) < TOGETHER &&
    Boolean(before.only_for) === Boolean(message.only_for) && message.subtype === before.subtype && !before.reply_count &&
    !message.bot_id;
}

function article(message, follows, inThread, does) {
  const person = state.people.get(message.user);
  const name = person?.is_bot ? person.name : person?.real_name ?? "Slackbot";
  const classes = ["message", follows ? "follows" : "", message.only_for ? "aside" : "", mentionsMe(message) ? "for-me" : ""];
  const when = h("a", { class: "when", href: permalink(message), title: dayOf(message.ts) }, timeOf(message.ts));
  return h("article", { class: classes.join(" "), "aria-label": `${name} at ${timeOf(message.ts)}`, id: `m-${message.ts}` },
    h("div", { class: "gutter" }, follows ? when.cloneNode(true) : avatar(person)),
    h("div", { class: "content" },
      message.only_for ? h("p", { class: "note" }, icon(EYE), "Only visible to you") : null,
      message.subtype === "thread_broadcast" && !inThread ? repliedTo(message, does) : null,
      follows ? null : h("div", { class: "byline" }, h("strong", {}, name), person?.is_bot ? h("span", { class: "badge" }, "APP") : null, when),
      does.editing === message.ts ? editor(message, does) : body(message),
      reactions(message),
      inThread ? null : footer(message, does),
      message.only_for ? h("button", { class: "link", onclick: () => safely("delete", message) }, "Dismiss") : null),
    does.editing === message.ts || message.only_for ? null : tools(message, inThread, does));
}

function body(message) {
  if (message.subtype === "tombstone") return h("p", { class: "gone" }, message.text);
  const edited = message.edited ? h("small", { class: "edited" }, " (edited)") : null;
  const written = message.blocks?.filter((block) => block.type !== "rich_text" || message.bot_id);
  if (!written?.length) return h("div", { class: "text" }, mrkdwn(message.text, names), edited);
  const use = (action, block, value, values) =>
    safely("click", message, { action_id: action, block_id: block, value, values });
  return h("div", { class: "blocks" }, blocks(written, { names, use }), edited);
}

function reactions(message) {
  if (!message.reactions?.length) return null;
  return h("div", { class: "reactions" }, message.reactions.map(({ name, users, count }) => {
    const who = users.map((user) => state.people.get(user)?.real_name ?? user).join(", ");
    const mine = users.includes(state.me);
    return h("button", {
      class: mine ? "reaction mine" : "reaction", title: who, "aria-pressed": String(mine),
      "aria-label": `${name}: ${who}`, onclick: () => safely("react", message, { name }),
    }, named(name) ? emoji(named(name)) : `:${name}:`, String(count));
  }));
}

function footer(message, does) {
  if (!message.reply_count) return null;
  const words = message.reply_count === 1 ? "1 reply" : `${message.reply_count} replies`;
  const day = dayOf(message.latest_reply);
  return h("button", { class: "replies", onclick: () => does.openThread(message.ts) },
    h("span", { class: "faces" }, message.reply_users.slice(0, 4).map((user) => avatar(state.people.get(user), "tiny"))),
    h("strong", {}, words),
    h("span", { class: "latest" }, `Last reply ${day === "Today" ? "today" : day} at ${timeOf(message.latest_reply)}`));
}

function repliedTo(message, does) {
  const root = state.messages.get(message.channel)?.get(message.thread_ts);
  const words = root?.text.replace(/<[^>]*\|([^>]*)>/g, "$1").replace(/[*_`~]/g, "") ?? "a thread";
  return h("p", { class: "note" }, icon(REPLY), "replied to a thread: ",
    h("button", { class: "link", onclick: () => does.openThread(message.thread_ts) }, mrkdwn(words.slice(0, 90), names)));
}

function tools(message, inThread, does) {
  const tool = (label, path, onclick) => h("button", { class: "icon-button", "aria-label": label, title: label, onclick }, icon(path));
  const mine = message.user === state.me && message.subtype !== "tombstone";
  return h("div", { class: "tools", role: "group", "aria-label": "Message actions" },
    tool("Mark as done", CHECK, () => safely("react", message, { name: "white_check_mark" })),
    inThread || isReply(message) ? null : tool("Reply in thread", REPLY, () => does.openThread(message.ts)),
    mine ? tool("Edit", EDIT, () => does.edit(message.ts)) : null,
    mine ? tool("Delete", BIN, () => safely("delete", message)) : null);
}

function editor(message, does) {
  const box = h("textarea", { class: "field", rows: 2, "aria-label": "Edit the message" }, readable(message.text));
  const save = async () => {
    does.edit(null);
    await safely("edit", message, { text: box.value });
  };
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") does.edit(null);
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      save();
    }
  });
  queueMicrotask(() => box.focus());
  return h("div", { class: "editor" }, box, h("div", {},
    h("button", { class: "button small", onclick: () => does.edit(null) }, "Cancel"),
    h("button", { class: "button primary small", onclick: save }, "Save")));
}

function readable(text) {
  return text.replace(/<@([UW]\w+)>/g, (whole, id) => `@${state.people.get(id)?.name ?? id}`)
    .replace(/<#(\w+)\|[^>]*>/g, (whole, id) => `#${state.channels.get(id)?.name ?? id}`)
    .replace(/<(https?:[^>|]+)(\|[^>]*)?>/g, "$1")
    .replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

function mentionsMe(message) {
  return message.user !== state.me && message.text.includes(`<@${state.me}>`);
}

function permalink(message) {
  const query = isReply(message) ? `?thread_ts=${message.thread_ts}&cid=${message.channel}` : "";
  return `/archives/${message.channel}/p${message.ts.replace(".", "")}${query}`;
}

async function safely(action, message, more = {}) {
  try {
    const words = trouble(await act(action, { channel: message.channel, ts: message.ts, ...more }));
    if (words) toast(words, true);
  } catch (error) {
    toast(error.message, true);
  }
}
