// markdown.js draws markdown blocks: marked reads the text, its tokens become nodes here, and HTML stays text.
import { h, link } from "./dom.js";
import { withEmoji } from "./tokens.js";
import { Lexer } from "/assets/vendor/marked.esm.js";

/** markdown draws a markdown block's text. */
export function markdown(text) {
  return h("div", { class: "markdown" }, Lexer.lex(text ?? "", { gfm: true }).map(block));
}

function block(token) {
  switch (token.type) {
    case "space":
    case "def": return null;
    case "hr": return h("hr", { class: "divider" });
    case "heading": return h("div", { class: `md-heading md-h${token.depth}`, role: "heading", "aria-level": token.depth }, inline(token.tokens));
    case "paragraph": return h("p", null, inline(token.tokens));
    case "blockquote": return h("blockquote", null, token.tokens.map(block));
    case "code": return h("pre", { class: "fence" }, token.text);
    case "list": return list(token);
    case "table": return table(token);
    case "text": return h("span", null, token.tokens ? inline(token.tokens) : decode(token.text));
    default: return h("p", null, token.raw.trimEnd());
  }
}

function list(token) {
  return h(token.ordered ? "ol" : "ul", { class: "rich-list", start: token.ordered ? token.start : null },
    token.items.map((item) => h("li", { class: item.task ? "task" : null },
      item.task && !hasBox(item) ? box(item.checked) : null, item.tokens.map(block))));
}

// Newer versions of marked give a task's box as a token of its own.
const hasBox = (item) => JSON.stringify(item.tokens).includes('"type":"checkbox"');

const box = (checked) => h("input", { type: "checkbox", disabled: true, checked, "aria-label": checked ? "done" : "to do" });

function table(token) {
  const cell = (tag) => (one, column) => {
    const node = h(tag, null, inline(one.tokens));
    node.style.textAlign = token.align[column] ?? "left";
    return node;
  };
  return h("div", { class: "table-scroll" }, h("table", { class: "table" },
    h("thead", null, h("tr", null, token.header.map(cell("th")))),
    h("tbody", null, token.rows.map((row) => h("tr", null, row.map(cell("td")))))));
}

const inline = (tokens) => (tokens ?? []).map(leaf);

function leaf(token) {
  switch (token.type) {
    case "strong": return h("b", null, inline(token.tokens));
    case "em": return h("i", null, inline(token.tokens));
    case "del": return h("s", null, inline(token.tokens));
    case "codespan": return h("code", null, token.text);
    case "br": return h("br");
    case "link": return link(token.href, h("span", null, inline(token.tokens)));
    case "image": return link(token.href, token.text || token.href);
    case "checkbox": return box(token.checked);
    case "text": return token.tokens ? inline(token.tokens) : withEmoji(decode(token.text));
    case "escape": return decode(token.text);
    default: return token.raw;
  }
}

const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", nbsp: "\u00a0" };

const decode = (text) => text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (_, name) => NAMED[name]);
