// Builds and reconciles elements. Nothing here knows what a message is.

/** Return an element. Attributes: `class`, `on…` functions, `data-…`, booleans, anything else as it is. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "colour") element.style.setProperty("--colour", value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Return an icon from path data, drawn as lines of 20 by 20. */
export function icon(path, name = "icon") {
  const template = document.createElement("template");
  template.innerHTML = `<svg class="${name}" viewBox="0 0 20 20" aria-hidden="true"><path d="${path}"/></svg>`;
  return template.content.firstChild;
}

/**
 * Make the parent's children those of `items`, `{key, sign, build}`, in order. An element whose
 * key and sign are unchanged stays: with its focus, its selection and what was typed into it.
 */
export function reconcile(parent, items) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    let element = old.get(item.key);
    if (element === undefined || element.dataset.sign !== item.sign) {
      const fresh = item.build();
      fresh.dataset.key = item.key;
      fresh.dataset.sign = item.sign;
      if (element !== undefined) {
        if (place === element) place = fresh;
        element.replaceWith(fresh);
      }
      element = fresh;
    }
    old.delete(item.key);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const gone of old.values()) gone.remove();
}

/** Return black or white, whichever is read better on the colour `#rrggbb`. */
export function inkOn(colour) {
  const channels = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  const [red, green, blue] = channels.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return 1.05 / (light + 0.05) >= 4.5 ? "#fff" : "#111";
}

/** Show a passing message; `bad` ones stay longer and interrupt. */
export function toast(text, bad = false) {
  const box = document.getElementById("toasts");
  const note = h("div", { class: bad ? "toast bad" : "toast", role: bad ? "alert" : undefined }, text);
  box.append(note);
  window.setTimeout(() => note.remove(), bad ? 8000 : 4000);
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });

/** Return the time of day of a Slack timestamp. */
export function timeOf(ts) {
  return clock.format(new Date(Number(ts) * 1000));
}

/** Return "Today", "Yesterday" or the date of a Slack timestamp. */
export function dayOf(ts) {
  const date = new Date(Number(ts) * 1000);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  return ["Today", "Yesterday"][days] ?? day.format(date);
}
