// tokens.js draws the small things that stand inside of text: people, channels, groups, dates, emoji. The mrkdwn, the
// rich text and the markdown renderers share them.
import { h, link } from "./dom.js";
import { EMOJI } from "/assets/vendor/emoji.js";
import { fill, moment, when } from "./dates.js";

const TONES = { 2: "\u{1F3FB}", 3: "\u{1F3FC}", 4: "\u{1F3FD}", 5: "\u{1F3FE}", 6: "\u{1F3FF}" };

/** knownEmoji is the character of a short name, or null. */
export function knownEmoji(name, tone) {
  const char = EMOJI.get(name);
  return char ? char + (TONES[tone] ?? "") : null;
}

/** emoji draws a short name; one that nobody knows stays as it is typed, between colons. */
export function emoji(name, { tone, unicode } = {}) {
  const char = knownEmoji(name, tone) ?? fromCode(unicode);
  if (!char) return h("span", null, `:${name}:`);
  return h("span", { class: "emoji", role: "img", "aria-label": `:${name}:`, title: `:${name}:` }, char);
}

function fromCode(unicode) {
  if (!/^[0-9a-f-]+$/i.test(unicode ?? "")) return null;
  const points = unicode.split("-").map((hex) => Number.parseInt(hex, 16));
  return points.every((point) => point <= 0x10ffff) ? String.fromCodePoint(...points) : null;
}

/** person draws a mention of a user; that of the reader stands out. */
export function person(id, ctx) {
  const own = id === ctx.user ? " mention-own" : "";
  return h("span", { class: "mention" + own }, `@${ctx.directory.userName(id)}`);
}

export function group(id, label, ctx) {
  return h("span", { class: "mention" }, label || `@${ctx.directory.groupName(id)}`);
}

/** broadcast draws @channel, @here and @everyone. */
export function broadcast(range) {
  return h("span", { class: "mention mention-own" }, `@${range}`);
}

export function channel(id, ctx) {
  const known = ctx.directory.channels.has(id);
  if (!known) return h("span", { class: "mention" }, `#${id}`);
  return h("button", { class: "mention", type: "button", onclick: () => ctx.openChannel(id) }, `#${ctx.directory.channelName(id)}`);
}

/** date draws a date token; one that counts ({ago}) is drawn again by tick. */
export function date(timestamp, pattern, url, fallback) {
  const at = moment(timestamp);
  const text = fill(pattern, at) ?? fallback ?? "";
  const node = h("time", { title: Number.isNaN(at.getTime()) ? null : when(at), data: { at: timestamp, pattern } }, text);
  return url ? link(url, node) : node;
}

/** tick brings the dates that count up to now. */
export function tick(root) {
  for (const node of root.querySelectorAll("time[data-pattern*='{ago}']")) {
    const text = fill(node.dataset.pattern, moment(node.dataset.at));
    if (text !== null && text !== node.textContent) node.textContent = text;
  }
}

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };

/** unescape undoes the three escapes that Slack's text knows. */
export const unescape = (text) => text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity]);

/** plain draws a plain_text object's text: no markup, but emoji unless it says otherwise. */
export function plain(object) {
  if (!object) return [];
  if (object.emoji === false) return [unescape(object.text)];
  return withEmoji(unescape(object.text));
}

/** withEmoji turns the :short_names: in a text into emoji and leaves everything else. */
export function withEmoji(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(/:([a-z0-9_+'-]+):(?::skin-tone-([2-6]):)?/g)) {
    if (!EMOJI.has(match[1])) continue;
    nodes.push(text.slice(from, match.index), emoji(match[1], { tone: match[2] }));
    from = match.index + match[0].length;
  }
  nodes.push(text.slice(from));
  return nodes.filter((node) => node !== "");
}
