// mrkdwn.js draws Slack's own markup the way Slack reads it: *bold*, _italic_, ~strike~, `code`, fences, quotes,
// <tokens> and emoji. Lists have no syntax there; a dash stays a dash.
import { fragment, h, link } from "./dom.js";
import { broadcast, channel, date, emoji, group, knownEmoji, person, unescape } from "./tokens.js";

/**
 * mrkdwn draws a text.
 * @param {string} text as it came over the API: &amp; &lt; &gt; escaped, <…> for tokens
 * @param {Object} ctx who reads (user, directory, openChannel)
 * @param {boolean} [verbatim] leaves bare addresses as text
 */
export function mrkdwn(text, ctx, verbatim = false) {
  const out = fragment();
  const reader = { ctx, verbatim };
  let from = 0;
  for (const fence of text.matchAll(/```([\s\S]+?)```/g)) {
    out.append(paragraphs(trimBreaks(text.slice(from, fence.index), from > 0, true), reader));
    out.append(h("pre", { class: "fence" }, tokensOnly(fence[1].replace(/^\n|\n$/g, ""), reader)));
    from = fence.index + fence[0].length;
  }
  out.append(paragraphs(trimBreaks(text.slice(from), from > 0, false), reader));
  return out;
}

// A fence is a block of its own: the line breaks beside it would only widen the gap.
function trimBreaks(text, after, before) {
  if (after) text = text.replace(/^\n/, "");
  if (before) text = text.replace(/\n$/, "");
  return text;
}

// paragraphs cuts quoted lines out; what is left is running text.
function paragraphs(text, reader) {
  const out = fragment();
  let lines = [];
  let quoted = false;
  const flush = () => {
    if (lines.length === 0) return;
    const nodes = inline(lines.join("\n"), reader);
    out.append(...(quoted ? [h("blockquote", null, nodes)] : nodes));
    lines = [];
  };
  const all = text === "" ? [] : text.split("\n");
  for (const [index, line] of all.entries()) {
    const rest = line.match(/^(?:&gt;|>){3} ?([\s\S]*)/);
    if (rest) {
      flush();
      const tail = [rest[1], ...all.slice(index + 1)].join("\n");
      out.append(h("blockquote", null, inline(tail, reader)));
      return out;
    }
    const quote = line.match(/^(?:&gt;|>) ?(.*)/);
    if (Boolean(quote) !== quoted) {
      flush();
      quoted = Boolean(quote);
    }
    lines.push(quote ? quote[1] : line);
  }
  flush();
  return out;
}

const MARKS = { "*": "b", _: "i", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;
const EMOJI_AT = /:([a-z0-9_+'-]+):(?::skin-tone-([2-6]):)?/y;
const ADDRESS_AT = /https?:\/\/[^\s<>|]+/y;

// inline draws one run of text into nodes.
function inline(text, reader) {
  const nodes = [];
  let run = "";
  const push = (node, end) => {
    if (run) nodes.push(unescape(run));
    run = "";
    nodes.push(node);
    return end;
  };
  let i = 0;
  while (i < text.length) {
    const found = tokenAt(text, i, reader) ?? codeAt(text, i, reader) ?? markAt(text, i, reader)
      ?? emojiAt(text, i) ?? addressAt(text, i, reader);
    if (found) {
      i = push(found.node, found.end);
    } else {
      run += text[i++];
    }
  }
  if (run) nodes.push(unescape(run));
  return nodes;
}

// tokensOnly is for code: tokens are still resolved there, marks are not.
function tokensOnly(text, reader) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(/<[^<>\n]+>/g)) {
    const found = tokenAt(text, match.index, reader);
    nodes.push(unescape(text.slice(from, match.index)), found.node);
    from = found.end;
  }
  nodes.push(unescape(text.slice(from)));
  return nodes;
}

function tokenAt(text, i, { ctx }) {
  if (text[i] !== "<") return null;
  const close = text.indexOf(">", i);
  const inner = text.slice(i + 1, close);
  if (close < 0 || inner === "" || /[<\n]/.test(inner)) return null;
  return { node: token(inner, ctx), end: close + 1 };
}

// token draws what stands between < and >.
function token(inner, ctx) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : unescape(inner.slice(bar + 1));
  if (target.startsWith("@")) return person(target.slice(1), ctx);
  if (target.startsWith("#")) return channel(target.slice(1), ctx);
  if (target.startsWith("!subteam^")) return group(target.slice(9), label, ctx);
  if (target.startsWith("!date^")) {
    const [, at, pattern, url] = target.split("^");
    return date(at, unescape(pattern ?? ""), url && unescape(url), label);
  }
  if (target.startsWith("!")) {
    const range = target.slice(1);
    return ["here", "channel", "everyone"].includes(range) ? broadcast(range) : h("span", null, label || `<${inner}>`);
  }
  const url = unescape(target);
  if (!/^(?:https?|mailto|tel):/i.test(url)) return h("span", null, label || `<${unescape(inner)}>`);
  return link(url, label || url.replace(/^mailto:/, ""));
}

function codeAt(text, i, reader) {
  if (text[i] !== "`") return null;
  const close = text.indexOf("`", i + 1);
  const inner = text.slice(i + 1, close);
  if (close < 0 || inner === "" || inner.includes("\n")) return null;
  return { node: h("code", null, tokensOnly(inner, reader)), end: close + 1 };
}

// markAt finds *bold* and its like: opened at a word's start, closed at a word's end, on one line.
function markAt(text, i, reader) {
  const mark = text[i];
  const tag = MARKS[mark];
  if (!tag || !isEdge(text[i - 1], mark) || text[i + 1] === undefined || /\s/.test(text[i + 1]) || text[i + 1] === mark) return null;
  for (let j = i + 1; j < text.length && text[j] !== "\n"; j++) {
    if (text[j] === "<" || text[j] === "`") {
      const close = text.indexOf(text[j] === "<" ? ">" : "`", j + 1);
      if (close > 0) j = close;
      continue;
    }
    if (text[j] !== mark || /\s/.test(text[j - 1]) || !isEdge(text[j + 1], mark)) continue;
    return { node: h(tag, null, inline(text.slice(i + 1, j), reader)), end: j + 1 };
  }
  return null;
}

const isEdge = (char, mark) => char === undefined || (char !== mark && !WORD.test(char));

function emojiAt(text, i) {
  if (text[i] !== ":") return null;
  EMOJI_AT.lastIndex = i;
  const match = EMOJI_AT.exec(text);
  if (!match || !knownEmoji(match[1])) return null;
  return { node: emoji(match[1], { tone: match[2] }), end: i + match[0].length };
}

function addressAt(text, i, { verbatim }) {
  if (verbatim || text[i] !== "h" || (i > 0 && WORD.test(text[i - 1]))) return null;
  ADDRESS_AT.lastIndex = i;
  const match = ADDRESS_AT.exec(text);
  if (!match) return null;
  const raw = match[0].replace(/(?:[.,;:!?)\]*_~"']|&(?:gt|lt);)+$/, "");
  return { node: link(unescape(raw), unescape(raw)), end: i + raw.length };
}
