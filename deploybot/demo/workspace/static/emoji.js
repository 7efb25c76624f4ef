// Emoji: short names to characters, and drawings of our own for the common ones, so that they look
// the same everywhere, also where no emoji font is installed.

const NAMES = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", rocket: "🚀", hourglass: "⏳",
  hourglass_flowing_sand: "⏳", lock: "🔒", unlock: "🔓", eyes: "👀", no_entry: "⛔", no_entry_sign: "🚫",
  octagonal_sign: "🛑", large_green_circle: "🟢", red_circle: "🔴", large_yellow_circle: "🟡", large_blue_circle: "🔵",
  white_circle: "⚪", arrows_counterclockwise: "🔄", rewind: "⏪", leftwards_arrow_with_hook: "↩️", package: "📦",
  tada: "🎉", thumbsup: "👍", "+1": "👍", thumbsdown: "👎", "-1": "👎", bell: "🔔", wave: "👋", fire: "🔥",
  snowflake: "❄️", pause_button: "⏸️", double_vertical_bar: "⏸️", robot_face: "🤖", information_source: "ℹ️",
  question: "❓", grey_question: "❔", test_tube: "🧪", link: "🔗", bulb: "💡", memo: "📝", speech_balloon: "💬",
  email: "📧", ship: "🚢", construction: "🚧", rotating_light: "🚨", clock1: "🕐", stopwatch: "⏱️", zap: "⚡",
  heart: "❤️", raised_hands: "🙌", pray: "🙏", thinking_face: "🤔", smile: "😄", point_right: "👉", arrow_right: "➡️",
  arrow_up: "⬆️", arrow_down: "⬇️", heavy_minus_sign: "➖", heavy_plus_sign: "➕", mag: "🔍", key: "🔑", gear: "⚙️",
  busts_in_silhouette: "👥", bust_in_silhouette: "👤", star: "⭐", sparkles: "✨", checkered_flag: "🏁", seedling: "🌱",
};

const disc = (colour) => `<circle cx="10" cy="10" r="8.2" fill="${colour}"/>`;
const square = (colour) => `<rect x="1.5" y="1.5" width="17" height="17" rx="4" fill="${colour}"/>`;
const line = (path, colour = "#fff", width = 2.4) =>
  `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round"/>`;

const DRAWN = {
  "✅": square("#1c9a5b") + line("M5.5 10.4l3 3 6-6.6"),
  "✔️": line("M3.5 10.8l4.2 4.2 8.8-9.8", "#1c9a5b", 3),
  "❌": line("M4.5 4.5l11 11M15.5 4.5l-11 11", "#d8354f", 3.4),
  "⚠️": `<path d="M10 1.8l8.6 15.4a.9.9 0 0 1-.8 1.3H2.2a.9.9 0 0 1-.8-1.3z" fill="#f2b01e"/>` + line("M10 7.2v5", "#2b2100", 2) + `<circle cx="10" cy="15.3" r="1.25" fill="#2b2100"/>`,
  "🚀": `<path d="M17.6 2.4c-5-.4-8.6 1.8-11 5.600l-3.2.7-1.5 2.2 3.4.6 3.2 3.2.6 3.4 2.2-1.5.7-3.200c3.8-2.4 6-6 5.6-11z" fill="#7d8fb0"/><circle cx="12.7" cy="7.3" r="1.9" fill="#e9f2ff"/><path d="M5.2 13.200c-1.6.5-2.5 2.4-2.7 4.3 1.9-.2 3.8-1.1 4.3-2.700z" fill="#f0803c"/>`,
  "⏳": line("M5 2.600h10M5 17.400h10", "#9a6b3f", 2.2) + `<path d="M6 3.500h8c0 3.5-1.5 5-3 6.5 1.5 1.5 3 3 3 6.500H6c0-3.5 1.5-5 3-6.5-1.5-1.5-3-3-3-6.500z" fill="#dbe9f5"/><path d="M7.2 16.300c.2-1.9 1.4-2.6 2.8-4 1.4 1.4 2.6 2.1 2.8 4zM8 6.600h4l-2 2.400z" fill="#e0a32e"/>`,
  "🔒": line("M6.4 9V6.600a3.6 3.6 0 0 1 7.2 0V9", "#8a94a6", 2.2) + `<rect x="4" y="8.6" width="12" height="9" rx="2" fill="#e3a72f"/><circle cx="10" cy="13" r="1.5" fill="#5b3d00"/>`,
  "🔓": line("M6.4 9V5.600a3.6 3.6 0 0 1 7-1.2", "#8a94a6", 2.2) + `<rect x="4" y="8.6" width="12" height="9" rx="2" fill="#e3a72f"/><circle cx="10" cy="13" r="1.5" fill="#5b3d00"/>`,
  "👀": `<ellipse cx="6" cy="10" rx="4.2" ry="5.6" fill="#fff" stroke="#8894a5"/><ellipse cx="14" cy="10" rx="4.2" ry="5.6" fill="#fff" stroke="#8894a5"/><circle cx="7.4" cy="10.6" r="2" fill="#22303f"/><circle cx="15.4" cy="10.6" r="2" fill="#22303f"/>`,
  "⛔": disc("#d8354f") + `<rect x="5" y="8.6" width="10" height="2.8" rx=".8" fill="#fff"/>`,
  "🚫": `<circle cx="10" cy="10" r="7.2" fill="none" stroke="#d8354f" stroke-width="2.4"/>` + line("M5.2 5.200l9.6 9.6", "#d8354f", 2.4),
  "🛑": `<path d="M6.6 1.600h6.800l5 5v6.800l-5 5H6.600l-5-5V6.600z" fill="#d8354f"/><rect x="5.5" y="8.7" width="9" height="2.6" rx=".6" fill="#fff"/>`,
  "🟢": disc("#1c9a5b"), "🔴": disc("#d8354f"), "🟡": disc("#eeb11e"), "🔵": disc("#2f7fd6"), "⚪": `<circle cx="10" cy="10" r="7.6" fill="#eef2f6" stroke="#aab4c2"/>`,
  "🔄": square("#3a7fc4") + line("M6 8.600a4.5 4.5 0 0 1 8-1M14 11.400a4.5 4.5 0 0 1-8 1M14.3 4.900v2.900h-2.900M5.7 15.100v-2.900h2.9", "#fff", 1.7),
  "⏪": square("#3a7fc4") + `<path d="M10 6v8l-5-4zM15.4 6v8l-5-4z" fill="#fff"/>`,
  "↩️": square("#3a7fc4") + line("M8 5.500L5 8.500l3 3M5.5 8.500h6a3 3 0 0 1 0 6H8.5", "#fff", 1.9),
  "📦": `<path d="M2 6l8-3.600L18 6v8.500l-8 3.5-8-3.500z" fill="#c58b54"/><path d="M2 6l8 3.600L18 6l-8-3.600z" fill="#e0ae7a"/><path d="M10 9.600V18" stroke="#8f5d2e"/>`,
  "🎉": `<path d="M2.4 17.600L7 6.800l6.2 6.200z" fill="#e3a72f"/>` + line("M11 5.600c.2-1.6 1-2.6 2.4-3M13.4 9.400c2-.5 3.2-.2 4.2.8", "#d8354f", 1.5) + `<circle cx="16.5" cy="5" r="1.2" fill="#1c9a5b"/><circle cx="9" cy="2.8" r="1.1" fill="#2f7fd6"/><circle cx="17" cy="14" r="1.1" fill="#8f5bd0"/>`,
  "🔔": `<path d="M10 2.200c3.3 0 5 2.4 5 5.4 0 3.4.9 4.6 2 6H3c1.1-1.4 2-2.6 2-6 0-3 1.7-5.4 5-5.400z" fill="#e3a72f"/><circle cx="10" cy="16" r="1.9" fill="#b57d12"/>`,
  "❄️": line("M10 2v16M3 6l14 8M17 6L3 14", "#4a9fd8", 1.9),
  "⏸️": square("#3a7fc4") + `<rect x="6.2" y="5.6" width="2.6" height="8.8" rx=".6" fill="#fff"/><rect x="11.2" y="5.6" width="2.6" height="8.8" rx=".6" fill="#fff"/>`,
  "ℹ️": square("#3a7fc4") + `<circle cx="10" cy="5.8" r="1.3" fill="#fff"/>` + line("M10 9.200v5.2", "#fff", 2.3),
  "❓": line("M6.6 7a3.4 3.4 0 1 1 4.9 3c-1 .6-1.5 1.1-1.5 2.5", "#d8354f", 2.6) + `<circle cx="10" cy="16.3" r="1.5" fill="#d8354f"/>`,
  "🧪": `<path d="M8 2.500h4M8.6 3v11.600a1.4 1.4 0 0 0 2.8 0V3" fill="#e6f1fb" stroke="#8894a5" stroke-width="1.2"/><path d="M8.9 9h2.200v5.400a1.1 1.1 0 0 1-2.2 0z" fill="#1c9a5b"/>`,
  "🔗": line("M8.3 11.700l3.4-3.400M9 6.500l1.8-1.800a3.2 3.2 0 0 1 4.5 4.500L13.5 11M11 13.500l-1.8 1.800a3.2 3.2 0 0 1-4.5-4.500L6.5 9", "#6f7d90", 1.9),
  "💡": `<path d="M10 2a5.6 5.6 0 0 1 3.2 10.200c-.5.4-.7.9-.7 1.600h-5c0-.7-.2-1.2-.7-1.600A5.6 5.6 0 0 1 10 2z" fill="#f2c443"/><rect x="7.6" y="14.5" width="4.8" height="3.2" rx="1" fill="#8894a5"/>`,
  "💬": `<path d="M3 3.500h14a1.5 1.5 0 0 1 1.5 1.500v7.500A1.5 1.5 0 0 1 17 14H9l-4.5 3.800V14H3a1.5 1.5 0 0 1-1.5-1.500V5A1.5 1.5 0 0 1 3 3.500z" fill="#a9bdd6"/>`,
  "🚨": `<path d="M5 13.500V10a5 5 0 0 1 10 0v3.500z" fill="#d8354f"/><rect x="3" y="13.8" width="14" height="3.6" rx="1" fill="#5f6c7d"/>` + line("M10 1.500v1.600M3 4l1.2 1.200M17 4l-1.2 1.2", "#d8354f", 1.6),
  "⚡": `<path d="M11.5 1.500L4 11.500h5l-1 7 8-10.500h-5.200z" fill="#f2b01e"/>`,
  "🔥": `<path d="M10.5 1.500c.5 3.5 5 5 5 10a5.6 5.6 0 0 1-11 .8c-.3-2.6 1-4 1.8-5.3.5 1.5 1 2 1.7 2.300C7.8 6 8.5 3.5 10.5 1.500z" fill="#f0803c"/><path d="M10.2 9c.5 1.7 2.5 2.4 2.5 4.700a2.7 2.7 0 0 1-5.4.1c0-1.5 1-2 1.4-3 .5.5.8.7 1 .7.1-.9.1-1.7.5-2.500z" fill="#f7cf52"/>`,
  "🤖": `<rect x="3" y="5.5" width="14" height="11.5" rx="3" fill="#8fa3bd"/><circle cx="7.3" cy="10.5" r="1.7" fill="#22303f"/><circle cx="12.7" cy="10.5" r="1.7" fill="#22303f"/>` + line("M7.5 14h5M10 5V2.8", "#22303f", 1.4) + `<circle cx="10" cy="2.3" r="1.3" fill="#d8354f"/>`,
  "👍": `<path d="M3 9h3v8H3zM7 9l3-6.500c1.5 0 2.2 1 2 2.300L11.5 8h4c1.2 0 1.9 1 1.6 2.200l-1.3 5.300c-.2.9-.9 1.5-1.9 1.500H7z" fill="#eab54a"/>`,
  "👎": `<path d="M3 3h3v8H3zM7 11l3 6.500c1.5 0 2.2-1 2-2.300L11.5 12h4c1.2 0 1.9-1 1.6-2.200l-1.3-5.300C15.6 3.6 14.9 3 13.9 3H7z" fill="#eab54a"/>`,
  "👋": `<path d="M5 9.500l1.4-1.300L10 12 6.8 6.500l1.6-1 3.4 5-2-6 1.7-.6 3 6.6.2-3.500c.6-1.4 2.2-1 2.3.5l.2 5c0 3.5-2.6 5.5-5.4 5.5-3 0-4-1.3-6.8-8.500z" fill="#eab54a"/>`,
  "🏁": line("M4 2.500v15.5", "#6f7d90", 1.8) + `<path d="M5 3.500h11v8H5z" fill="#eef2f6" stroke="#6f7d90" stroke-width=".6"/><path d="M5 3.500h3.700v2.700H5zM12.3 3.500H16v2.700h-3.700zM8.7 6.200h3.600v2.600H8.700zM5 8.800h3.700v2.700H5zM12.3 8.800H16v2.700h-3.700z" fill="#22303f"/>`,
};

const SAME = { "⚠": "⚠️", "❄": "❄️", "⏸": "⏸️", "ℹ": "ℹ️", "↩": "↩️", "✔": "✔️" };
const SPOKEN = Object.fromEntries(Object.entries(NAMES).map(([name, char]) => [char, name.replaceAll("_", " ")]));
const CHARS = [...new Set([...Object.keys(DRAWN), ...Object.keys(SAME)])].sort((a, b) => b.length - a.length);
const FOUND = new RegExp(`:([a-z0-9_+'-]+):|(${CHARS.join("|")})`, "g");

/** Return the character of a short name, or null for a name nobody knows. */
export function named(name) {
  return NAMES[name] ?? null;
}

/** Return a node that shows one emoji. */
export function emoji(char) {
  const drawn = DRAWN[SAME[char] ?? char];
  if (drawn === undefined) return document.createTextNode(char);
  const template = document.createElement("template");
  const spoken = SPOKEN[SAME[char] ?? char] ?? "";
  template.innerHTML = `<svg class="emoji" viewBox="0 0 20 20" role="img" aria-label="${spoken}">${drawn}</svg>`;
  return template.content.firstChild;
}

/** Return nodes for plain text, its emoji shown. */
export function withEmoji(text) {
  const nodes = [];
  let done = 0;
  for (const found of text.matchAll(FOUND)) {
    const char = found[2] ?? named(found[1]);
    if (char === null) continue;
    nodes.push(text.slice(done, found.index), emoji(char));
    done = found.index + found[0].length;
  }
  nodes.push(text.slice(done));
  return nodes.filter((node) => node !== "");
}
