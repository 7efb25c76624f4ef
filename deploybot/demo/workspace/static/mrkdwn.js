// Slack's mark-up to nodes. Everything becomes text nodes and elements; nothing is parsed as HTML.

import { h } from "./dom.js";
import { withEmoji } from "./emoji.js";

const TOKEN = /<([^<>\n]+)>|`([^`\n]+)`|(^|[\s(\[{"'_~*—–-])([*_~])(?=\S)([^\n]*?\S)\4(?=$|[\s.,;:!?)\]}"'_~*—–-])/;
const DATE = { hour: "2-digit", minute: "2-digit" };
const LONG = { day: "numeric", month: "long", year: "numeric" };

/** Return nodes for mark-up. `names` answers user(id), channel(id), group(id) and me. */
export function mrkdwn(text, names) {
  return text.split(/(```[\s\S]*?```)/).flatMap((part) => {
    if (part.startsWith("```") && part.endsWith("```") && part.length >= 6) {
      return [h("pre", {}, h("code", {}, withEmoji(plain(part.slice(3, -3).replace(/^\n|\n$/g, "")))))];
    }
    return blocks(part.replace(/^\n|\n$/g, ""), names);
  });
}

/** Return a chip for a person. */
export function mention(id, names) {
  const person = names.user(id);
  const label = person ? person.name : id;
  return h("span", { class: id === names.me ? "mention me" : "mention" }, "@", label);
}

/** Return a link that is safe to follow, or its text when it is not. */
export function link(url, label) {
  if (!/^(https?:|mailto:|\/)/i.test(url)) return h("span", {}, label);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}

/** Return a moment in words: `{date_short}` and its kin, in the reader's time zone. */
export function moment(timestamp, format) {
  const date = new Date(Number(timestamp) * 1000);
  const say = (options) => new Intl.DateTimeFormat("en-GB", options).format(date);
  const today = date.toDateString() === new Date().toDateString();
  const words = {
    time: () => say(DATE),
    time_secs: () => say({ ...DATE, second: "2-digit" }),
    date_num: () => date.toISOString().slice(0, 10),
    date: () => say(LONG),
    date_short: () => say({ day: "numeric", month: "short", year: "numeric" }),
    date_long: () => say({ weekday: "long", ...LONG }),
    ago: () => ago(date),
  };
  return format.replace(/\{(\w+)\}/g, (whole, name) => {
    const bare = name.replace(/_pretty$/, "");
    if (name.endsWith("_pretty") && today) return "today";
    return words[bare]?.() ?? whole;
  });
}

function ago(date) {
  const minutes = Math.round((Date.now() - date) / 60_000);
  if (Math.abs(minutes) < 1) return "just now";
  const [count, unit] = Math.abs(minutes) < 60 ? [minutes, "minute"] : [Math.round(minutes / 60), "hour"];
  return new Intl.RelativeTimeFormat("en", { numeric: "always" }).format(-count, unit);
}

function blocks(text, names) {
  if (text === "") return [];
  const nodes = [];
  let kept = [];
  let kind = "";
  const flush = () => {
    if (kept.length === 0) return;
    if (kind === "quote") nodes.push(h("blockquote", {}, lines(kept, names)));
    else if (kind === "list") nodes.push(h("ul", {}, kept.map((item) => h("li", {}, inline(item, names)))));
    else nodes.push(...lines(kept, names));
    kept = [];
  };
  const rows = text.split("\n");
  rows.forEach((row, at) => {
    const quote = row.match(/^&gt;\s?(?!&gt;&gt;)(.*)$/) ?? row.match(/^>\s?(?!>>)(.*)$/);
    const item = row.match(/^\s*[•◦-]\s+(.*)$/);
    const next = quote ? "quote" : item ? "list" : "text";
    if (next !== kind) flush();
    kind = next;
    kept.push((quote ?? item)?.[1] ?? row);
    if (at === rows.length - 1) flush();
  });
  return nodes;
}

function lines(rows, names) {
  return rows.flatMap((row, at) => (at ? [h("br"), ...inline(row, names)] : inline(row, names)));
}

function inline(text, names) {
  const nodes = [];
  let rest = text;
  for (let found = TOKEN.exec(rest); found !== null; found = TOKEN.exec(rest)) {
    const before = rest.slice(0, found.index) + (found[3] ?? "");
    if (before) nodes.push(...withEmoji(plain(before)));
    if (found[1] !== undefined) nodes.push(angled(found[1], names));
    else if (found[2] !== undefined) nodes.push(h("code", {}, plain(found[2])));
    else nodes.push(h({ "*": "strong", _: "em", "~": "s" }[found[4]], {}, inline(found[5], names)));
    rest = rest.slice(found.index + found[0].length);
  }
  if (rest) nodes.push(...withEmoji(plain(rest)));
  return nodes;
}

function angled(body, names) {
  const [target, label] = body.split(/\|(.*)/s);
  if (/^@[UW]/.test(target)) return mention(target.slice(1), names);
  if (target.startsWith("#")) {
    const channel = names.channel(target.slice(1));
    return h("span", { class: "mention" }, "#", channel?.name ?? label ?? target.slice(1));
  }
  if (target.startsWith("!subteam^")) {
    const group = names.group(target.slice(9));
    return h("span", { class: "mention" }, "@", group?.handle ?? label?.replace(/^@/, "") ?? target.slice(9));
  }
  if (target.startsWith("!date^")) {
    const [, timestamp, format, url] = target.split("^");
    const words = h("time", {}, moment(timestamp, plain(format)));
    return url ? link(plain(url), words) : words;
  }
  if (target.startsWith("!")) return h("span", { class: "mention me" }, "@", target.slice(1));
  return link(plain(target), label ? labelled(label) : plain(target));
}

// A link's words may hold code; every other mark in them is shown as it is.
function labelled(text) {
  return text.split(/`([^`]+)`/).flatMap((part, at) => (at % 2 ? h("code", {}, plain(part)) : withEmoji(plain(part))));
}

function plain(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
