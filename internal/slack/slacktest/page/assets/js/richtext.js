// richtext.js draws rich_text blocks: a tree that needs no parsing, so nothing in it can be more than it says.
import { fragment, h, link } from "./dom.js";
import { broadcast, channel, date, emoji, group, person } from "./tokens.js";

/** richText draws the elements of a rich_text block. */
export function richText(block, ctx) {
  const out = h("div", { class: "rich" });
  const counters = [];
  for (const element of block.elements ?? []) out.append(part(element, ctx, counters));
  return out;
}

function part(element, ctx, counters) {
  switch (element.type) {
    case "rich_text_section":
      counters.length = 0;
      return h("div", { class: "rich-section" }, inline(element.elements, ctx));
    case "rich_text_preformatted":
      counters.length = 0;
      return h("pre", { class: "fence", data: { language: element.language ?? "" } }, inline(element.elements, ctx));
    case "rich_text_quote":
      counters.length = 0;
      return h("blockquote", null, inline(element.elements, ctx));
    case "rich_text_list":
      return list(element, ctx, counters);
    default:
      return h("div", { class: "not-drawn" }, `Not drawn here: ${element.type}`);
  }
}

const BULLETS = ["disc", "circle", "square"];
const NUMBERS = ["decimal", "lower-alpha", "lower-roman"];

// list draws one rich_text_list. Lists of several indents follow each other as siblings; the numbers of an outer one go
// on after an inner one.
function list(element, ctx, counters) {
  const ordered = element.style === "ordered";
  const indent = element.indent ?? 0;
  counters.length = indent + 1;
  const start = (element.offset ?? counters[indent] ?? 0) + 1;
  counters[indent] = start - 1 + element.elements.length;
  const node = h(ordered ? "ol" : "ul", { class: `rich-list${element.border ? " bordered" : ""}`, start: ordered ? start : null },
    element.elements.map((item) => h("li", null, inline(item.elements, ctx))));
  node.style.setProperty("--indent", indent);
  node.style.listStyleType = (ordered ? NUMBERS : BULLETS)[indent % 3];
  return node;
}

function inline(elements, ctx) {
  return (elements ?? []).map((element) => styled(leaf(element, ctx), element));
}

function leaf(element, ctx) {
  switch (element.type) {
    case "text": return element.text;
    case "link": return link(element.url, element.text || element.url);
    case "user": return person(element.user_id, ctx);
    case "usergroup": return group(element.usergroup_id, "", ctx);
    case "channel": return channel(element.channel_id, ctx);
    case "broadcast": return broadcast(element.range);
    case "emoji": return emoji(element.name, { tone: element.skin_tone, unicode: element.unicode });
    case "date": return date(element.timestamp, element.format, element.url, element.fallback);
    case "color": return swatch(element.value);
    case "team": return ctx.directory.workspace.team;
    default: return h("span", { class: "not-drawn" }, `Not drawn here: ${element.type}`);
  }
}

const TAGS = { bold: "b", italic: "i", strike: "s", underline: "u", code: "code" };

function styled(node, element) {
  let out = node;
  for (const [name, tag] of Object.entries(TAGS)) {
    if (element.style?.[name]) out = h(tag, null, out);
  }
  if (element.style?.highlight) out = h("mark", null, out);
  return out;
}

function swatch(value) {
  const square = h("span", { class: "swatch", "aria-hidden": "true" });
  if (/^#[0-9a-f]{3,8}$/i.test(value)) square.style.backgroundColor = value;
  return fragment(h("code", null, value), square);
}
