// What people choose in and type into: selects, radios, checkboxes, dates, lines of text.

import { h } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";

let count = 0;

/** Return the field of an element; `use(value)` is called when something is chosen in it. */
export function field(element, use, names, { id, fault, labelled, required } = {}) {
  const shared = {
    id,
    class: "field",
    "data-action": element.action_id,
    "aria-invalid": fault ? "true" : undefined,
    "aria-describedby": fault ? `${id}-fault` : undefined,
    "aria-required": required ? "true" : undefined,
    "aria-label": labelled ? undefined : element.placeholder?.text ?? "Choose",
    autofocus: element.focus_on_load,
  };
  const changed = (event) => use(read(event.currentTarget));
  switch (element.type) {
    case "static_select":
    case "overflow":
      return select(element, shared, changed);
    case "multi_static_select":
    case "checkboxes":
      return choices(element, "checkbox", labelled, use, names);
    case "radio_buttons":
      return choices(element, "radio", labelled, use, names);
    case "users_select":
      return select({ ...element, options: people(names), initial_option: { value: element.initial_user } }, shared, changed);
    case "datepicker":
      return h("input", { ...shared, type: "date", value: element.initial_date, onchange: changed });
    case "timepicker":
      return h("input", { ...shared, type: "time", value: element.initial_time, onchange: changed });
    default:
      return typed(element, shared);
  }
}

/** Return what stands in the fields within `root`, by action id. */
export function valuesIn(root) {
  const values = {};
  for (const one of root.querySelectorAll(".field[data-action]")) {
    const value = read(one);
    if (value !== "" && value !== null && !(Array.isArray(value) && value.length === 0 && !one.dataset.had)) values[one.dataset.action] = value;
  }
  return values;
}

function typed(element, shared) {
  const kinds = { number_input: "number", email_text_input: "email", url_text_input: "url" };
  const attributes = {
    ...shared,
    placeholder: element.placeholder?.text,
    maxlength: element.max_length ?? 3000,
    autocomplete: "off",
  };
  if (element.multiline) return h("textarea", { ...attributes, rows: 4 }, element.initial_value ?? "");
  return h("input", { ...attributes, type: kinds[element.type] ?? "text", value: element.initial_value, step: element.is_decimal_allowed ? "any" : undefined });
}

function select(element, shared, changed) {
  const option = ({ text, value }) => h("option", { value, selected: value === element.initial_option?.value }, text.text);
  const groups = element.option_groups?.map((group) => h("optgroup", { label: group.label.text }, group.options.map(option)));
  const hint = element.type === "overflow" ? "More…" : element.placeholder?.text ?? "Choose";
  return h("select", { ...shared, onchange: changed }, h("option", { value: "" }, hint), groups ?? element.options.map(option));
}

function choices(element, type, labelled, use, names) {
  const name = `choice-${++count}`;
  const initial = new Set([element.initial_option, ...(element.initial_options ?? [])].filter(Boolean).map((option) => option.value));
  const options = element.options ?? element.option_groups.flatMap((group) => group.options);
  const group = h("div", {
    class: "field choices",
    role: type === "radio" ? "radiogroup" : "group",
    "aria-labelledby": labelled,
    "data-action": element.action_id,
    "data-had": initial.size ? "yes" : undefined,
    onchange: () => use(read(group)),
  }, options.map((option) => h("label", {},
    h("input", { type, name, value: option.value, checked: initial.has(option.value) }),
    h("span", {}, option.text.type === "mrkdwn" ? mrkdwn(option.text.text, names) : withEmoji(option.text.text),
      option.description ? h("small", {}, withEmoji(option.description.text)) : null))));
  return group;
}

function read(one) {
  if (!one.classList.contains("choices")) return one.value;
  const chosen = [...one.querySelectorAll("input:checked")].map((input) => input.value);
  return one.getAttribute("role") === "radiogroup" ? chosen[0] ?? null : chosen;
}

function people(names) {
  return names.everybody().filter((person) => !person.is_bot).map((person) => ({ text: { text: person.real_name }, value: person.id }));
}
