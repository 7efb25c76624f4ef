// Rich text blocks to nodes.

import { h } from "./dom.js";
import { emoji, named, withEmoji } from "./emoji.js";
import { link, mention, moment } from "./mrkdwn.js";

/** Return the nodes of a rich_text block. */
export function rich(block, names) {
  return block.elements.map((part) => paragraph(part, names));
}

function paragraph(part, names) {
  switch (part.type) {
    case "rich_text_list":
      return h(part.style === "ordered" ? "ol" : "ul", { class: part.indent ? "indented" : undefined, start: part.offset ? part.offset + 1 : undefined },
        part.elements.map((row) => h("li", {}, pieces(row, names))));
    case "rich_text_quote":
      return h("blockquote", {}, pieces(part, names));
    case "rich_text_preformatted":
      return h("pre", {}, h("code", {}, part.elements.flatMap((piece) => withEmoji(piece.text ?? piece.url))));
    default:
      return h("p", {}, pieces(part, names));
  }
}

function pieces(part, names) {
  return part.elements.map((piece) => styled(piece, node(piece, names)));
}

function node(piece, names) {
  switch (piece.type) {
    case "user": return mention(piece.user_id, names);
    case "usergroup": return h("span", { class: "mention" }, "@", names.group(piece.usergroup_id)?.handle ?? piece.usergroup_id);
    case "channel": return h("span", { class: "mention" }, "#", names.channel(piece.channel_id)?.name ?? piece.channel_id);
    case "broadcast": return h("span", { class: "mention me" }, "@", piece.range);
    case "link": return link(piece.url, piece.text || piece.url);
    case "emoji": return named(piece.name) ? emoji(named(piece.name)) : `:${piece.name}:`;
    case "date": return h("time", {}, moment(piece.timestamp, piece.format));
    case "color": return h("code", {}, piece.value);
    default: return piece.style?.code ? piece.text : withEmoji(piece.text);
  }
}

function styled(piece, inner) {
  const tags = { code: "code", bold: "strong", italic: "em", strike: "s", underline: "u" };
  return Object.entries(tags).reduce((shown, [style, tag]) => (piece.style?.[style] ? h(tag, {}, shown) : shown), inner);
}
