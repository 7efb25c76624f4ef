// The composer: a box that grows, completes names and commands, and keeps a draft for each place.

import { avatar } from "./messages.js";
import { h, icon, toast } from "./dom.js";
import { act, state, trouble } from "./state.js";

const SEND = "M3 10l14-6-5 14-3-6z";
const AT = "M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0zm0-3v4.5a2 2 0 0 0 4 0V10a7 7 0 1 0-3 5.7";

/** Put a composer into `area`; return {aim(place, hint)}: `place` is {channel, thread} or null. */
export function composer(area, name) {
  const drafts = new Map();
  let place = null;
  let key = "";
  const list = h("ul", { class: "completion", role: "listbox", id: `${name}-list`, "aria-label": "Suggestions", hidden: true });
  const box = h("textarea", {
    id: `${name}-text`, rows: 1, maxlength: 12000, autocomplete: "off", role: "combobox", "aria-autocomplete": "list",
    "aria-expanded": "false", "aria-controls": `${name}-list`, "aria-haspopup": "listbox",
  });
  const also = h("input", { type: "checkbox" });
  const alsoLabel = h("label", { class: "also" }, also, h("span", {}, "Also send to the channel"));
  const send = h("button", { class: "send", type: "submit", "aria-label": "Send", title: "Send (Enter)" }, icon(SEND));
  const at = h("button", { class: "icon-button", type: "button", "aria-label": "Mention someone", title: "Mention someone", onclick: () => insert("@") }, icon(AT));
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Things to say" });
  const closed = h("p", { class: "closed", hidden: true }, "This channel is archived. Nobody can write here.");
  const form = h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); say(); } },
    box, h("div", { class: "bar" }, at, alsoLabel, h("span", { class: "keys" }, "Enter sends, Shift + Enter starts a line"), send));
  area.append(chips, closed, h("div", { class: "completing" }, list, form));

  const menu = completion(box, list);
  box.addEventListener("input", () => { grow(); menu.update(); });
  box.addEventListener("blur", () => window.setTimeout(menu.close, 150));
  box.addEventListener("keydown", (event) => {
    if (menu.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      say();
    }
  });

  function grow() {
    box.style.setProperty("height", "auto");
    box.style.setProperty("height", `${Math.min(box.scrollHeight, 200)}px`);
    send.disabled = box.value.trim() === "";
  }

  function insert(words) {
    const gap = box.value && !/\s$/.test(box.value.slice(0, box.selectionStart)) ? " " : "";
    box.setRangeText(gap + words, box.selectionStart, box.selectionEnd, "end");
    box.focus();
    grow();
    menu.update();
  }

  async function say() {
    const text = box.value;
    if (text.trim() === "" || place === null) return;
    const body = { channel: place.channel, text, thread_ts: place.thread ?? undefined, broadcast: also.checked };
    box.value = "";
    also.checked = false;
    grow();
    menu.close();
    try {
      const words = trouble(await act("say", body));
      if (words) toast(words, true);
    } catch (error) {
      toast(error.message, true);
      if (box.value === "") box.value = text;
      grow();
    }
  }

  function suggest(words) {
    chips.replaceChildren(...words.map((text) => h("button", { class: "chip", type: "button", onclick: () => {
      box.value = text;
      grow();
      box.focus();
    } }, text)));
    chips.hidden = words.length === 0;
  }

  function aim(next, hint, suggestions = []) {
    const fresh = next ? `${state.me} ${next.channel} ${next.thread ?? ""}` : "";
    suggest(suggestions);
    const archived = Boolean(next && state.channels.get(next.channel)?.archived);
    form.hidden = archived;
    closed.hidden = !archived;
    if (fresh === key) return;
    drafts.set(key, box.value);
    [place, key] = [next, fresh];
    box.value = drafts.get(key) ?? "";
    box.setAttribute("placeholder", hint);
    box.setAttribute("aria-label", hint);
    alsoLabel.hidden = !next?.thread;
    grow();
  }

  return { aim, focus: () => box.focus() };
}

function completion(box, list) {
  let options = [];
  let chosen = 0;
  let start = 0;

  function close() {
    list.hidden = true;
    options = [];
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  }

  function update() {
    const before = box.value.slice(0, box.selectionStart);
    const found = before.match(/(?:^|[\s(])(@[\w.-]*)$/) ?? before.match(/^(\/[\w-]*)$/);
    if (!found) return close();
    start = before.length - found[1].length;
    const typed = found[1].slice(1).toLowerCase();
    options = found[1].startsWith("/") ? commands(typed) : people(typed);
    chosen = 0;
    if (options.length === 0) return close();
    show();
  }

  function show() {
    list.replaceChildren(...options.map((option, at) => h("li", {
      id: `${list.id}-${at}`, role: "option", "aria-selected": String(at === chosen), onmousedown: (event) => { event.preventDefault(); take(at); },
    }, option.node, h("strong", {}, option.text), h("span", {}, option.note))));
    list.hidden = false;
    box.setAttribute("aria-expanded", "true");
    box.setAttribute("aria-activedescendant", `${list.id}-${chosen}`);
  }

  function take(at) {
    box.setRangeText(`${options[at].text} `, start, box.selectionStart, "end");
    close();
    box.dispatchEvent(new Event("input"));
  }

  function key(event) {
    if (list.hidden) return false;
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves) {
      chosen = (chosen + moves[event.key] + options.length) % options.length;
      show();
    } else if (event.key === "Enter" || event.key === "Tab") take(chosen);
    else if (event.key === "Escape") close();
    else return false;
    event.preventDefault();
    return true;
  }

  return { update, close, key };
}

function people(typed) {
  const all = [...state.people.values()].sort((a, b) => Number(b.is_bot) - Number(a.is_bot));
  return all.filter((person) => `${person.name} ${person.real_name}`.toLowerCase().split(/\s+/).some((word) => word.startsWith(typed)))
    .slice(0, 6)
    .map((person) => ({ text: `@${person.name}`, note: person.is_bot ? "App" : person.real_name, node: avatar(person, "tiny") }));
}

function commands(typed) {
  return state.commands.filter((command) => command.name.slice(1).startsWith(typed))
    .map((command) => ({ text: command.name, note: command.description, node: null }));
}
