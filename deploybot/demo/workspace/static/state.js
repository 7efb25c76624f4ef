// What the page knows: a copy of what this person sees, kept current by the feed.

/** Everything known now; filled by `start`. */
export const state = {
  me: "",
  bot: "",
  app: "",
  team: "",
  people: new Map(),
  groups: new Map(),
  channels: new Map(),
  messages: new Map(),
  mail: new Map(),
  unread: new Map(),
  views: { stack: [], home: null },
  commands: [],
  suggestions: [],
  links: [],
  mailWorks: false,
  mailAddress: "",
};

/** Names for mark-up. */
export const names = {
  get me() { return state.me; },
  user: (id) => state.people.get(id),
  channel: (id) => state.channels.get(id),
  group: (id) => state.groups.get(id),
};

const byId = (things) => new Map(things.map((thing) => [thing.id, thing]));
let source = null;

/** Load what `person` sees and follow the changes; `changed(kind, body, fresh)` is told of each. */
export async function start(person, changed) {
  source?.close();
  const answer = await fetch(`/_human/${encodeURIComponent(person)}/state`);
  if (!answer.ok) throw new Error((await answer.json()).error);
  const seen = await answer.json();
  Object.assign(state, {
    me: seen.me, bot: seen.bot, app: seen.app, team: seen.team, views: seen.views, commands: seen.commands,
    suggestions: seen.suggestions, links: seen.links, mailWorks: seen.mail_works, mailAddress: seen.mail_address,
    people: byId(seen.people), groups: byId(seen.groups), channels: byId(seen.channels), mail: byId(seen.mail),
    messages: new Map(seen.channels.map((channel) => [channel.id, new Map()])), unread: new Map(),
  });
  for (const message of seen.messages) state.messages.get(message.channel)?.set(message.ts, message);
  source = new EventSource(`/_human/${encodeURIComponent(seen.me)}/feed?after=${seen.seq}`);
  source.onmessage = (event) => {
    const { kind, body } = JSON.parse(event.data);
    changed(kind, body, take(kind, body));
  };
  source.onopen = () => changed("online", true);
  source.onerror = () => changed("online", false);
}

// Keep what changed; return whether it is something new.
function take(kind, body) {
  if (kind === "message") {
    if (!state.messages.has(body.channel)) state.messages.set(body.channel, new Map());
    const fresh = !state.messages.get(body.channel).has(body.ts);
    state.messages.get(body.channel).set(body.ts, body);
    return fresh;
  } else if (kind === "message_gone") {
    state.messages.get(body.channel)?.delete(body.ts);
  } else if (kind === "views") {
    state.views = body;
  } else if (kind === "mail") {
    state.mail.set(body.id, body);
    return true;
  }
  return false;
}

/** Return the messages of a channel, oldest first: the main line, or with `thread` one thread. */
export function messagesOf(channel, thread = null) {
  const all = [...(state.messages.get(channel)?.values() ?? [])].sort((a, b) => (a.ts < b.ts ? -1 : 1));
  if (thread !== null) return all.filter((message) => message.ts === thread || message.thread_ts === thread);
  return all.filter((message) => !isReply(message) || message.subtype === "thread_broadcast");
}

/** Whether a message stands in a thread under another. */
export function isReply(message) {
  return Boolean(message.thread_ts) && message.thread_ts !== message.ts;
}

/** Do something as this person; return the answer, or throw an error in words for them. */
export async function act(action, body) {
  const answer = await fetch(`/_human/${state.me}/${action}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const result = await answer.json();
  if (!answer.ok) throw new Error(result.error ?? "That did not work. Nothing was sent; try again.");
  return result;
}

/** Return what to tell the person when the bot did not take something, or null when it did. */
export function trouble(result) {
  const failed = (result.deliveries ?? []).find((delivery) => delivery.error !== null);
  if (failed === undefined) return null;
  const bot = state.people.get(state.bot)?.name ?? "The app";
  const why = { http_timeout: "did not answer in time", http_error: `answered ${failed.status}` }[failed.error] ?? "could not be reached";
  const next = failed.kind === "event" ? "It will be sent again." : "Try again in a moment.";
  return `${bot} ${why}. ${next}`;
}
