// Block Kit to nodes. What a click does is given: `use(action_id, block_id, value)`.

import { h, icon } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { field, valuesIn } from "./fields.js";
import { mrkdwn } from "./mrkdwn.js";
import { rich } from "./rich.js";
import { ask } from "./dialogs.js";

/** Return the nodes of all blocks. `context` is {names, use, faults}. */
export function blocks(list, context) {
  return list.map((block) => h("div", { class: `block ${block.type}`, "data-block": block.block_id }, inside(block, context)));
}

/** Return the nodes of a text object. */
export function text(object, names) {
  return object.type === "mrkdwn" ? mrkdwn(object.text, names) : withEmoji(object.text);
}

function inside(block, context) {
  const { names } = context;
  switch (block.type) {
    case "header": return h("h3", {}, text(block.text, names));
    case "divider": return h("hr");
    case "section": return section(block, context);
    case "context": return block.elements.map((part) => (part.type === "image" ? picture(part) : h("span", {}, text(part, names))));
    case "actions": return block.elements.map((element) => control(element, block, context));
    case "image": return [block.title ? h("p", { class: "caption" }, text(block.title, names)) : null, picture(block)];
    case "rich_text": return rich(block, names);
    case "markdown": return markdown(block.text, names);
    case "input": return entry(block, context);
    default: return null;
  }
}

function section(block, context) {
  const words = [
    block.text ? h("div", { class: "text" }, text(block.text, context.names)) : null,
    block.fields ? h("div", { class: "cells" }, block.fields.map((cell) => h("div", {}, text(cell, context.names)))) : null,
  ];
  if (!block.accessory) return words;
  const beside = block.accessory.type === "image" ? picture(block.accessory) : control(block.accessory, block, context);
  return [h("div", { class: "words" }, words), h("div", { class: "beside" }, beside)];
}

function picture(part) {
  return h("span", { class: "picture", role: "img", "aria-label": part.alt_text }, icon("M3 4h14v12H3zM3 13l4-4 3 3 3-4 4 5"), part.alt_text);
}

function control(element, block, context) {
  if (element.type !== "button") {
    return field(element, (value) => sent(element, block, value, null, context), context.names);
  }
  const label = h("button", {
    class: `button ${element.style ?? ""}`,
    type: "button",
    "aria-label": element.accessibility_label,
    "data-action": element.action_id,
    onclick: (event) => {
      if (element.url) window.open(element.url, "_blank", "noopener");
      sent(element, block, element.value ?? null, event.currentTarget, context);
    },
  }, text(element.text, context.names));
  return label;
}

async function sent(element, block, value, button, context) {
  if (element.confirm && !(await ask(element.confirm, context.names))) return;
  const around = button?.closest(".blocks");
  button?.setAttribute("aria-busy", "true");
  if (button) button.disabled = true;
  try {
    await context.use(element.action_id, block.block_id, value, around ? valuesIn(around) : {});
  } finally {
    button?.removeAttribute("aria-busy");
    if (button) button.disabled = false;
  }
}

function entry(block, context) {
  const fault = context.faults?.[block.block_id];
  const id = `entry-${block.block_id}`;
  const group = ["radio_buttons", "checkboxes"].includes(block.element.type);
  const use = block.dispatch_action ? (value) => context.use(block.element.action_id, block.block_id, value, {}) : () => {};
  return [
    h(group ? "p" : "label", { class: "label", id: `${id}-label`, for: group ? undefined : id }, text(block.label, context.names),
      block.optional ? h("span", { class: "optional" }, " (optional)") : null),
    field(block.element, use, context.names, { id, fault: fault !== undefined, labelled: `${id}-label`, required: !block.optional }),
    block.hint ? h("p", { class: "hint" }, text(block.hint, context.names)) : null,
    fault ? h("p", { class: "fault", role: "alert", id: `${id}-fault` }, fault) : null,
  ];
}

// The markdown block: headings, bold with two stars, links, lists and code; the rest is mark-up's own.
function markdown(source, names) {
  return source.split(/(```[\s\S]*?```)/).flatMap((part) => {
    if (part.startsWith("```")) return mrkdwn(part.replace(/^```\w*\n/, "```"), names);
    const escaped = part.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    const marked = escaped
      .replace(/^#{1,6}\s+(.*)$/gm, "*$1*")
      .replace(/\*\*([^*\n]+)\*\*/g, "*$1*")
      .replace(/^(\s*)\* /gm, "$1- ")
      .replace(/\[([^\]\n]+)\]\((https?:[^)\s]+)\)/g, "<$2|$1>");
    return mrkdwn(marked, names);
  });
}
