// The confirm dialog and the app's modals, on the browser's own <dialog>.

import { h, icon, toast } from "./dom.js";
import { blocks, text } from "./blocks.js";
import { valuesIn } from "./fields.js";
import { act, state, trouble } from "./state.js";

const CROSS = "M5 5l10 10M15 5L5 15";

/** Ask a Block Kit confirm question; resolve to whether the person agreed. */
export function ask(confirm, names) {
  const dialog = document.getElementById("confirm");
  return new Promise((resolve) => {
    dialog.replaceChildren(
      h("header", {}, h("h2", { id: "confirm-title" }, text(confirm.title, names))),
      h("div", { class: "modal-body" }, text(confirm.text, names)),
      h("footer", {},
        h("button", { class: "button", onclick: () => dialog.close("no") }, text(confirm.deny, names)),
        h("button", { class: `button ${confirm.style ?? "primary"}`, autofocus: true, onclick: () => dialog.close("yes") }, text(confirm.confirm, names))),
    );
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}

let shown = "";

/** Show the top modal of this person as it stands, or none. */
export function showModal(names) {
  const dialog = document.getElementById("modal");
  const view = state.views.stack.at(-1);
  if (view === undefined) {
    shown = "";
    if (dialog.open) dialog.close();
    return;
  }
  if (shown === view.hash && dialog.open) return;
  shown = view.hash;
  fill(dialog, view, names);
  if (!dialog.open) dialog.showModal();
  dialog.querySelector(".modal-body .field, .modal-body input")?.focus();
}

function fill(dialog, view, names) {
  const context = {
    names,
    faults: {},
    use: (action, block, value) => tell(act("click", { view_id: view.id, action_id: action, block_id: block, value, values: valuesIn(dialog) })),
  };
  const body = h("div", { class: "modal-body blocks" }, blocks(view.blocks, context));
  const note = h("p", { class: "fault", role: "alert", hidden: true });
  const submit = h("button", { class: "button primary", type: "submit" }, view.submit ? text(view.submit, names) : "Submit");
  const close = async () => {
    try {
      await tell(act("close", { view_id: view.id }));
    } catch (error) {
      toast(error.message, true);
    }
  };
  const send = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    submit.setAttribute("aria-busy", "true");
    try {
      const result = await act("submit", { view_id: view.id, values: valuesIn(body) });
      note.hidden = result.outcome !== "failed";
      note.textContent = "The app did not answer. Nothing was sent for sure; try again.";
      showFaults(body, result.errors);
    } catch (error) {
      toast(error.message, true);
    } finally {
      submit.disabled = false;
      submit.removeAttribute("aria-busy");
    }
  };
  const bot = state.people.get(state.bot);
  dialog.replaceChildren(h("form", { novalidate: true, onsubmit: send, onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit();
  } },
    h("header", {},
      h("span", { class: "avatar small app", "aria-hidden": "true" }, icon(APP, "app-mark")),
      h("h2", { id: "modal-title" }, text(view.title, names)),
      h("button", { class: "icon-button", type: "button", "aria-label": "Close", onclick: close }, icon(CROSS))),
    body,
    note,
    h("footer", {},
      h("span", { class: "from" }, bot ? `from ${bot.name}` : ""),
      h("button", { class: "button", type: "button", onclick: close }, view.close ? text(view.close, names) : "Close"),
      view.submit ? submit : null)));
  dialog.oncancel = (event) => {
    event.preventDefault();
    close();
  };
}

function showFaults(body, errors) {
  for (const block of body.querySelectorAll(".block.input")) {
    block.querySelector(".fault")?.remove();
    const fault = errors[block.dataset.block];
    const field = block.querySelector(".field");
    field?.toggleAttribute("aria-invalid", fault !== undefined);
    if (fault !== undefined) block.append(h("p", { class: "fault", role: "alert" }, fault));
  }
  body.querySelector(".field[aria-invalid]")?.focus();
}

async function tell(doing) {
  const result = await doing;
  const words = trouble(result);
  if (words) toast(words, true);
  return result;
}

/** The mark of an app, as path data. */
export const APP = "M5 8a3 3 0 0 1 3-3h4a3 3 0 0 1 3 3v4a3 3 0 0 1-3 3H8a3 3 0 0 1-3-3zM10 5V2.5M8 9.5v1M12 9.5v1";
