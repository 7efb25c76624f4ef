// The mail of this person: a list, one letter with its reply box, and a new letter.

import { dayOf, h, reconcile, timeOf, toast } from "./dom.js";
import { act, state } from "./state.js";

let open = null;
let writing = false;

/** Show the mail in `page`. */
export function showMail(page) {
  const all = [...state.mail.values()].sort((a, b) => b.at - a.at);
  if (open !== null && !state.mail.has(open)) open = null;
  const again = () => showMail(page);
  const pick = (id) => { open = id; writing = false; again(); };
  const write = () => { writing = true; open = null; again(); };
  const mail = open === null ? null : state.mail.get(open);
  reconcile(page, [
    { key: "list", sign: JSON.stringify([state.me, open, writing, all.map((one) => one.id)]), build: () => list(all, pick, write) },
    writing ? { key: "write", sign: state.me, build: () => draft(again) }
      : mail ? { key: `mail-${mail.id}`, sign: JSON.stringify([state.me, mail]), build: () => letter(mail, again) }
        : { key: "none", sign: String(all.length), build: () => nothing(all.length) },
  ]);
  page.classList.toggle("reading", open !== null || writing);
}

function list(all, pick, write) {
  return h("div", { class: "mail-list" },
    h("button", { class: "button primary", onclick: write, disabled: !state.mailWorks }, "Write a mail"),
    h("ul", {}, all.map((mail) => h("li", {},
      h("button", { class: mail.id === open ? "mail-row chosen" : "mail-row", "aria-current": mail.id === open ? "true" : undefined, onclick: () => pick(mail.id) },
        h("span", { class: "mail-from" }, who(mail.from)),
        h("time", {}, timeOf(mail.at)),
        h("strong", {}, mail.subject || "(no subject)"),
        h("span", { class: "mail-start" }, mail.text.slice(0, 120)))))));
}

function nothing(count) {
  return h("div", { class: "nothing" }, h("p", {}, count ? "Choose a mail to read it." : "No mail yet."),
    h("p", {}, "Mail to and from the people of this workspace appears here."));
}

function letter(mail, again) {
  const row = (name, value) => (value ? [h("dt", {}, name), h("dd", {}, value)] : null);
  const shown = mail.html
    ? h("iframe", { class: "mail-html", title: `Mail: ${mail.subject}`, sandbox: "allow-same-origin allow-popups allow-popups-to-escape-sandbox",
      src: `/_mail/${encodeURIComponent(mail.id)}/html`, onload: (event) => opened(event.currentTarget) })
    : h("pre", { class: "mail-text" }, mail.text);
  return h("article", { class: "letter", "aria-label": mail.subject },
    h("header", {}, h("button", { class: "link back", onclick: () => { open = null; again(); } }, "‹ All mail"),
      h("h2", {}, mail.subject || "(no subject)"),
      h("dl", {}, row("From", mail.from), row("To", mail.to), row("When", `${dayOf(mail.at)}, ${timeOf(mail.at)}`))),
    shown,
    mail.html && mail.text ? h("details", {}, h("summary", {}, "Plain text"), h("pre", { class: "mail-text" }, mail.text)) : null,
    state.mailWorks ? answer(mail) : null);
}

// A letter is as high as what is in it; a link that begins a reply begins it in the box below.
// No script of the letter runs: it is of our origin, but may do nothing.
function opened(frame) {
  const inside = frame.contentDocument;
  const fit = () => frame.style.setProperty("height", `${inside.documentElement.scrollHeight + 2}px`);
  fit();
  new ResizeObserver(fit).observe(inside.body);
  inside.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='mailto:']");
    const box = frame.closest(".letter").querySelector("textarea");
    if (!link || !box) return;
    event.preventDefault();
    box.value = new URLSearchParams(link.href.split("?")[1] ?? "").get("body") ?? "";
    box.focus();
  });
}

function answer(mail) {
  const box = h("textarea", { class: "field", rows: 4, "aria-label": "Reply", placeholder: `Reply to ${who(mail.reply_to || mail.from)}` });
  return h("form", { class: "mail-form", onsubmit: (event) => {
    event.preventDefault();
    sent(event.currentTarget, () => act("reply_mail", { id: mail.id, text: box.value }), () => { box.value = ""; });
  } }, box, h("button", { class: "button primary", type: "submit" }, "Send the reply"));
}

function draft(again) {
  const to = h("input", { class: "field", type: "text", value: state.mailAddress, id: "mail-to" });
  const subject = h("input", { class: "field", type: "text", id: "mail-subject" });
  const text = h("textarea", { class: "field", rows: 8, id: "mail-body" });
  const label = (words, field) => h("div", {}, h("label", { class: "label", for: field.id }, words), field);
  return h("form", { class: "letter mail-form", onsubmit: (event) => {
    event.preventDefault();
    const body = { to: to.value, subject: subject.value, text: text.value };
    sent(event.currentTarget, () => act("send_mail", body), () => { writing = false; again(); });
  } }, h("h2", {}, "Write a mail"), label("To", to), label("Subject", subject), label("Text", text),
  h("div", { class: "mail-buttons" }, h("button", { class: "button primary", type: "submit" }, "Send"),
    h("button", { class: "button", type: "button", onclick: () => { writing = false; again(); } }, "Cancel")));
}

async function sent(form, doing, done) {
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    await doing();
    toast("The mail is on its way.");
    done();
  } catch (error) {
    toast(error.message, true);
  } finally {
    button.disabled = false;
  }
}

function who(address) {
  return address.replace(/\s*<[^>]*>/, "").replaceAll('"', "") || address;
}
